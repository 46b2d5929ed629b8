package testserver;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.metadata.ProjectId;
import org.elasticsearch.cluster.metadata.ProjectMetadata;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Strings;
import org.elasticsearch.common.regex.Regex;
import org.elasticsearch.core.CheckedConsumer;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.action.RestToXContentListener;

/** What the routes of this module have in common. */
final class Routes {
    /** Parameters that the real routes take; here they change nothing. */
    private static final List<String> WITHOUT_EFFECT =
            List.of(
                    "master_timeout",
                    "timeout",
                    "expand_wildcards",
                    "include_defaults",
                    "verbose",
                    "only_managed",
                    "only_errors");

    private Routes() {}

    /** Answers a request: what it says is read at once, and the answer is made later. */
    interface Answer {
        CheckedConsumer<RestChannel, Exception> to(RestRequest request, NodeClient client)
                throws IOException;
    }

    static RestHandler handler(String name, Answer answer, RestHandler.Route... routes) {
        return new BaseRestHandler() {
            @Override
            public String getName() {
                return name;
            }

            @Override
            public List<Route> routes() {
                return Arrays.asList(routes);
            }

            @Override
            protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client)
                    throws IOException {
                WITHOUT_EFFECT.forEach(request::param);
                return answer.to(request, client)::accept;
            }
        };
    }

    static ProjectMetadata project(ClusterState state) {
        return state.metadata().getProject(ProjectId.DEFAULT);
    }

    /** Changes the cluster state and answers when all nodes have it. */
    static void update(
            ClusterService cluster,
            String source,
            RestChannel channel,
            UnaryOperator<ClusterState> change) {
        ActionListener<AcknowledgedResponse> listener = new RestToXContentListener<>(channel);
        cluster.submitUnbatchedStateUpdateTask(
                source,
                new ClusterStateUpdateTask() {
                    @Override
                    public ClusterState execute(ClusterState state) {
                        return change.apply(state);
                    }

                    @Override
                    public void onFailure(Exception failure) {
                        listener.onFailure(failure);
                    }

                    @Override
                    public void clusterStateProcessed(ClusterState before, ClusterState after) {
                        listener.onResponse(AcknowledgedResponse.TRUE);
                    }
                });
    }

    /** The names in the path, with wildcards, of which there may be none. */
    static String[] names(RestRequest request, String parameter) {
        return Strings.splitStringByCommaToArray(request.param(parameter, ""));
    }

    static boolean matches(String[] names, String name) {
        return names.length == 0
                || Arrays.asList(names).contains("_all")
                || Regex.simpleMatch(names, name);
    }

    /** Whether something must be there, because it is asked for by its name. */
    static boolean areExact(String[] names) {
        return names.length > 0 && Arrays.stream(names).noneMatch(Regex::isSimpleMatchPattern);
    }
}
