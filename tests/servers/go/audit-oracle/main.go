// audit-oracle answers what kube-apiserver would do with an audit policy, by asking
// kube-apiserver's own code: its policy loader and its rule evaluator.
//
// It is a filter: one JSON object a line on stdin, one JSON object a line on stdout, in order.
//
// A policy is loaded and stays in force for the lines after it. It is given as text, or as
// base64 where the bytes are not UTF-8:
//
//	{"policy": "apiVersion: audit.k8s.io/v1 ..."}
//	{"policy_base64": "..."}
//	  -> {"rules": 3}
//	  -> {"rules": 3, "warning": "..."}   the server starts, but says this in its log
//	  -> {"error": "..."}                 the server refuses to start; no policy is in force
//
// A request is judged by the policy in force. "user" absent or null is a request without an
// authenticated user, such as a failed login:
//
//	{"user": "jane", "groups": ["dev"], "verb": "get", "namespace": "default", "group": "",
//	 "version": "v1", "resource": "pods", "subresource": "log", "name": "web",
//	 "path": "/api/v1/...", "resourceRequest": true}
//	  -> {"level": "Metadata", "omitStages": ["RequestReceived"], "omitManagedFields": false}
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/klog/v2"
)

// question is a line of input: a policy if one of the first two fields is set, else a request.
type question struct {
	Policy       *string `json:"policy"`
	PolicyBase64 []byte  `json:"policy_base64"`

	User            *string  `json:"user"`
	Groups          []string `json:"groups"`
	Verb            string   `json:"verb"`
	Namespace       string   `json:"namespace"`
	Group           string   `json:"group"`
	Version         string   `json:"version"`
	Resource        string   `json:"resource"`
	Subresource     string   `json:"subresource"`
	Name            string   `json:"name"`
	Path            string   `json:"path"`
	ResourceRequest bool     `json:"resourceRequest"`
}

type refusal struct {
	Error string `json:"error"`
}

type acceptance struct {
	Rules   int    `json:"rules"`
	Warning string `json:"warning,omitempty"`
}

type verdict struct {
	Level             auditinternal.Level   `json:"level"`
	OmitStages        []auditinternal.Stage `json:"omitStages"`
	OmitManagedFields bool                  `json:"omitManagedFields"`
}

// oracle holds the policy in force and what klog wrote while it was loaded.
type oracle struct {
	evaluator audit.PolicyRuleEvaluator
	log       *bytes.Buffer
}

func main() {
	o := oracle{log: captureLog()}
	if err := o.filter(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "audit-oracle:", err)
		os.Exit(1)
	}
}

// captureLog sends klog's messages, without their header, into the buffer that it returns.
func captureLog() *bytes.Buffer {
	flags := flag.NewFlagSet("klog", flag.PanicOnError)
	klog.InitFlags(flags)
	for _, setting := range []string{"logtostderr=false", "skip_headers=true", "one_output=true"} {
		name, value, _ := strings.Cut(setting, "=")
		if err := flags.Set(name, value); err != nil {
			panic(err)
		}
	}
	buffer := &bytes.Buffer{}
	klog.SetOutput(buffer)
	return buffer
}

func (o *oracle) filter(input io.Reader, output io.Writer) error {
	in := bufio.NewReaderSize(input, 1<<20)
	out := bufio.NewWriterSize(output, 1<<20)
	answers := json.NewEncoder(out)
	for {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return out.Flush()
		}
		if err != nil {
			return fmt.Errorf("the last line has no end: %w", err)
		}
		if err := answers.Encode(o.answer(line)); err != nil {
			return err
		}
		// Flushed only when nothing more waits to be read: a batch is not slowed down by a
		// system call for each line, and a single question is answered at once.
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
	}
}

func (o *oracle) answer(line []byte) any {
	var q question
	if err := json.Unmarshal(line, &q); err != nil {
		return refusal{"not a question: " + err.Error()}
	}
	switch {
	case q.Policy != nil:
		return o.load([]byte(*q.Policy))
	case q.PolicyBase64 != nil:
		return o.load(q.PolicyBase64)
	case o.evaluator == nil:
		return refusal{"no policy is in force"}
	default:
		return o.judge(&q)
	}
}

// load puts a policy in force. A panic in the loader would end kube-apiserver too: a refusal.
func (o *oracle) load(text []byte) (answer any) {
	o.evaluator = nil
	o.log.Reset()
	defer func() {
		if cause := recover(); cause != nil {
			answer = refusal{fmt.Sprint("panic: ", cause)}
		}
	}()
	loaded, err := policy.LoadPolicyFromBytes(text)
	if err != nil {
		return refusal{err.Error()}
	}
	klog.Flush()
	o.evaluator = policy.NewPolicyRuleEvaluator(loaded)
	return acceptance{Rules: len(loaded.Rules), Warning: strings.TrimSpace(o.log.String())}
}

func (o *oracle) judge(q *question) verdict {
	attributes := authorizer.AttributesRecord{
		Verb:            q.Verb,
		Namespace:       q.Namespace,
		APIGroup:        q.Group,
		APIVersion:      q.Version,
		Resource:        q.Resource,
		Subresource:     q.Subresource,
		Name:            q.Name,
		Path:            q.Path,
		ResourceRequest: q.ResourceRequest,
	}
	if q.User != nil { // otherwise attributes.User stays a nil interface, as after a failed login
		attributes.User = &user.DefaultInfo{Name: *q.User, Groups: q.Groups}
	}
	config := o.evaluator.EvaluatePolicyRule(attributes)
	return verdict{config.Level, config.OmitStages, config.OmitManagedFields}
}
