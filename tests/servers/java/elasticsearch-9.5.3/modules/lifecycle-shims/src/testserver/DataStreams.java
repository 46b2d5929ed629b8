package testserver;

import static testserver.Routes.areExact;
import static testserver.Routes.handler;
import static testserver.Routes.matches;
import static testserver.Routes.names;
import static testserver.Routes.project;
import static testserver.Routes.update;

import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.elasticsearch.action.admin.indices.create.AutoCreateAction;
import org.elasticsearch.action.admin.indices.create.CreateIndexRequest;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.MetadataDataStreamsService;
import org.elasticsearch.cluster.metadata.MetadataIndexTemplateService;
import org.elasticsearch.cluster.metadata.ProjectId;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.IndexNotFoundException;
import org.elasticsearch.rest.RestChannel;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.rest.RestHandler.Route;
import org.elasticsearch.rest.RestRequest.Method;
import org.elasticsearch.rest.RestResponse;
import org.elasticsearch.rest.RestStatus;
import org.elasticsearch.rest.action.RestToXContentListener;
import org.elasticsearch.xcontent.ToXContent;
import org.elasticsearch.xcontent.XContentBuilder;

/** `_data_stream`: data streams are in the server itself, only their routes are in a module. */
final class DataStreams {
    private final ClusterService cluster;

    DataStreams(ClusterService cluster) {
        this.cluster = cluster;
    }

    List<RestHandler> handlers() {
        Route one = new Route(Method.GET, "/_data_stream/{name}");
        return List.of(
                handler(
                        "data_stream_get",
                        (request, client) -> {
                            String[] names = names(request, "name");
                            return channel -> show(names, channel);
                        },
                        new Route(Method.GET, "/_data_stream"),
                        one),
                handler(
                        "data_stream_put",
                        (request, client) -> {
                            CreateIndexRequest create = new CreateIndexRequest(request.param("name"));
                            return channel -> {
                                requireTemplate(create.index());
                                client.execute(
                                        AutoCreateAction.INSTANCE,
                                        create,
                                        new RestToXContentListener<>(channel));
                            };
                        },
                        new Route(Method.PUT, "/_data_stream/{name}")),
                handler(
                        "data_stream_delete",
                        (request, client) -> {
                            String[] names = names(request, "name");
                            return channel ->
                                    update(
                                            cluster,
                                            "delete data stream",
                                            channel,
                                            state -> without(names, state));
                        },
                        new Route(Method.DELETE, "/_data_stream/{name}")));
    }

    private void show(String[] names, RestChannel channel) throws Exception {
        XContentBuilder answer = channel.newBuilder().startObject().startArray("data_streams");
        for (DataStream stream : streams(names, cluster.state())) {
            stream.toXContent(answer, ToXContent.EMPTY_PARAMS);
        }
        channel.sendResponse(new RestResponse(RestStatus.OK, answer.endArray().endObject()));
    }

    private void requireTemplate(String name) {
        if (MetadataIndexTemplateService.findV2Template(project(cluster.state()), name, false)
                == null) {
            throw new IllegalArgumentException(
                    "no matching index template found for data stream [" + name + "]");
        }
    }

    private static ClusterState without(String[] names, ClusterState state) {
        return MetadataDataStreamsService.deleteDataStreams(
                state.projectState(ProjectId.DEFAULT),
                Set.copyOf(streams(names, state)),
                Settings.EMPTY);
    }

    private static List<DataStream> streams(String[] names, ClusterState state) {
        List<DataStream> found =
                new TreeMap<>(project(state).dataStreams())
                        .values().stream()
                                .filter(stream -> matches(names, stream.getName()))
                                .collect(Collectors.toList());
        if (found.isEmpty() && areExact(names)) {
            throw new IndexNotFoundException(names[0]);
        }
        return found;
    }
}
