package testserver;

import static testserver.Routes.areExact;
import static testserver.Routes.handler;
import static testserver.Routes.matches;
import static testserver.Routes.names;
import static testserver.Routes.project;
import static testserver.Routes.update;

import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.elasticsearch.ResourceNotFoundException;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.ProjectMetadata;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestHandler.Route;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.xcontent.XContentBuilder;
import org.elasticsearch.xcontent.XContentParser;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicyMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.OperationMode;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/** `_ilm`: policies are parsed, checked, kept and shown as by the real module, never carried out. */
final class LifecyclePolicies {
    private final ClusterService cluster;

    LifecyclePolicies(ClusterService cluster) {
        this.cluster = cluster;
    }

    List<RestHandler> handlers() {
        return List.of(
                handler(
                        "ilm_put",
                        (request, client) -> {
                            String name = request.param("name");
                            LifecyclePolicy policy = parse(name, request);
                            return channel ->
                                    update(
                                            cluster,
                                            "put policy",
                                            channel,
                                            state -> with(name, policy, state));
                        },
                        new Route(Method.PUT, "/_ilm/policy/{name}")),
                handler(
                        "ilm_delete",
                        (request, client) -> {
                            String name = request.param("name");
                            return channel ->
                                    update(
                                            cluster,
                                            "delete policy",
                                            channel,
                                            state -> without(name, state));
                        },
                        new Route(Method.DELETE, "/_ilm/policy/{name}")),
                handler(
                        "ilm_get",
                        (request, client) -> {
                            String[] names = names(request, "name");
                            return channel -> show(names, channel);
                        },
                        new Route(Method.GET, "/_ilm/policy"),
                        new Route(Method.GET, "/_ilm/policy/{name}")),
                handler(
                        "ilm_explain",
                        (request, client) -> {
                            String[] names = names(request, "index");
                            return channel -> explain(names, channel);
                        },
                        new Route(Method.GET, "/{index}/_ilm/explain")));
    }

    private static LifecyclePolicy parse(String name, RestRequest request) throws IOException {
        LifecyclePolicy.validatePolicyName(name);
        try (XContentParser parser = request.contentParser()) {
            LifecyclePolicy policy =
                    PutLifecycleRequest.parseRequest(new Named(name), parser).getPolicy();
            policy.validate();
            return policy;
        }
    }

    private record Named(String name) implements PutLifecycleRequest.Factory {
        @Override
        public PutLifecycleRequest create(LifecyclePolicy policy) {
            return new PutLifecycleRequest(
                    TimeValue.THIRTY_SECONDS, TimeValue.THIRTY_SECONDS, policy);
        }

        @Override
        public String getPolicyName() {
            return name;
        }
    }

    private static ClusterState with(String name, LifecyclePolicy policy, ClusterState state) {
        Map<String, LifecyclePolicyMetadata> policies = policies(project(state));
        long version = policies.containsKey(name) ? policies.get(name).getVersion() + 1 : 1;
        policies.put(
                name,
                new LifecyclePolicyMetadata(
                        policy, Map.of(), version, System.currentTimeMillis()));
        return withPolicies(policies, state);
    }

    private static ClusterState without(String name, ClusterState state) {
        Map<String, LifecyclePolicyMetadata> policies = policies(project(state));
        List<String> users = users(name, project(state));
        if (users.isEmpty() == false) {
            throw new IllegalArgumentException(
                    "Cannot delete policy [" + name + "]. It is in use by: " + users);
        }
        if (policies.remove(name) == null) {
            throw new ResourceNotFoundException("Lifecycle policy not found: {}", name);
        }
        return withPolicies(policies, state);
    }

    private static ClusterState withPolicies(
            Map<String, LifecyclePolicyMetadata> policies, ClusterState state) {
        return ClusterState.builder(state)
                .putProjectMetadata(
                        ProjectMetadata.builder(project(state))
                                .putCustom(
                                        IndexLifecycleMetadata.TYPE,
                                        new IndexLifecycleMetadata(
                                                policies, OperationMode.RUNNING)))
                .build();
    }

    private void show(String[] names, RestChannel channel) throws Exception {
        ProjectMetadata project = project(cluster.state());
        Map<String, LifecyclePolicyMetadata> found = policies(project);
        found.keySet().removeIf(name -> matches(names, name) == false);
        if (found.isEmpty() && areExact(names)) {
            throw new ResourceNotFoundException("Lifecycle policy not found: {}", names[0]);
        }
        XContentBuilder answer = channel.newBuilder().startObject();
        for (Map.Entry<String, LifecyclePolicyMetadata> entry : found.entrySet()) {
            answer.startObject(entry.getKey())
                    .field("version", entry.getValue().getVersion())
                    .field("modified_date", entry.getValue().getModifiedDateString())
                    .field("policy", entry.getValue().getPolicy())
                    .startObject("in_use_by")
                    .field("indices", users(entry.getKey(), project))
                    .field("data_streams", List.of())
                    .field("composable_templates", List.of())
                    .endObject()
                    .endObject();
        }
        channel.sendResponse(new RestResponse(RestStatus.OK, answer.endObject()));
    }

    private void explain(String[] names, RestChannel channel) throws Exception {
        ProjectMetadata project = project(cluster.state());
        XContentBuilder answer = channel.newBuilder().startObject().startObject("indices");
        for (String index : new TreeSet<>(project.indices().keySet())) {
            if (matches(names, index)) {
                String policy = policyOf(index, project);
                answer.startObject(index)
                        .field("index", index)
                        .field("managed", policy.isEmpty() == false);
                if (policy.isEmpty() == false) {
                    answer.field("policy", policy);
                }
                answer.endObject();
            }
        }
        channel.sendResponse(new RestResponse(RestStatus.OK, answer.endObject().endObject()));
    }

    private static Map<String, LifecyclePolicyMetadata> policies(ProjectMetadata project) {
        IndexLifecycleMetadata all =
                project.custom(IndexLifecycleMetadata.TYPE, IndexLifecycleMetadata.EMPTY);
        return new TreeMap<>(all.getPolicyMetadatas());
    }

    private static List<String> users(String policy, ProjectMetadata project) {
        return project.indices().keySet().stream()
                .filter(index -> policy.equals(policyOf(index, project)))
                .sorted()
                .toList();
    }

    private static String policyOf(String index, ProjectMetadata project) {
        return LifecycleSettings.LIFECYCLE_NAME_SETTING.get(project.index(index).getSettings());
    }
}
