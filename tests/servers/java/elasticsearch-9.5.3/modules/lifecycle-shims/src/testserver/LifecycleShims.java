package testserver;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.elasticsearch.cluster.metadata.Metadata;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.core.CheckedFunction;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.ingest.AbstractProcessor;
import org.elasticsearch.ingest.ConfigurationUtils;
import org.elasticsearch.ingest.IngestDocument;
import org.elasticsearch.ingest.Processor;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.IngestPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xcontent.XContentParser;
import org.elasticsearch.xpack.core.ilm.AllocateAction;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.ForceMergeAction;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.MigrateAction;
import org.elasticsearch.xpack.core.ilm.ReadOnlyAction;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.SearchableSnapshotAction;
import org.elasticsearch.xpack.core.ilm.SetPriorityAction;
import org.elasticsearch.xpack.core.ilm.ShrinkAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.UnfollowAction;
import org.elasticsearch.xpack.core.ilm.WaitForSnapshotAction;

/**
 * Stands for the modules data-streams, x-pack-ilm and ingest-common, which are not published:
 * their routes and two processors, over the parsers and the cluster state of the real server.
 */
public class LifecycleShims extends Plugin implements ActionPlugin, IngestPlugin {
    private ClusterService cluster;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        cluster = services.clusterService();
        return List.of();
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
            RestHandlersServices services,
            Supplier<DiscoveryNodes> nodes,
            Predicate<NodeFeature> features) {
        List<RestHandler> handlers = new ArrayList<>(new DataStreams(cluster).handlers());
        handlers.addAll(new LifecyclePolicies(cluster).handlers());
        return handlers;
    }

    @Override
    public List<Setting<?>> getSettings() {
        return List.of(
                LifecycleSettings.LIFECYCLE_NAME_SETTING,
                LifecycleSettings.LIFECYCLE_INDEXING_COMPLETE_SETTING,
                LifecycleSettings.LIFECYCLE_POLL_INTERVAL_SETTING,
                RolloverAction.LIFECYCLE_ROLLOVER_ALIAS_SETTING);
    }

    @Override
    public List<NamedXContentRegistry.Entry> getNamedXContent() {
        return List.of(
                new NamedXContentRegistry.Entry(
                        Metadata.ProjectCustom.class,
                        new ParseField(IndexLifecycleMetadata.TYPE),
                        parser -> IndexLifecycleMetadata.PARSER.parse(parser, null)),
                new NamedXContentRegistry.Entry(
                        LifecycleType.class,
                        new ParseField(TimeseriesLifecycleType.TYPE),
                        (parser, context) -> TimeseriesLifecycleType.INSTANCE),
                action(AllocateAction.NAME, AllocateAction::parse),
                action(DeleteAction.NAME, DeleteAction::parse),
                action(ForceMergeAction.NAME, ForceMergeAction::parse),
                action(MigrateAction.NAME, MigrateAction::parse),
                action(ReadOnlyAction.NAME, ReadOnlyAction::parse),
                action(RolloverAction.NAME, RolloverAction::parse),
                action(SearchableSnapshotAction.NAME, SearchableSnapshotAction::parse),
                action(SetPriorityAction.NAME, SetPriorityAction::parse),
                action(ShrinkAction.NAME, ShrinkAction::parse),
                action(UnfollowAction.NAME, UnfollowAction::parse),
                action(WaitForSnapshotAction.NAME, WaitForSnapshotAction::parse));
    }

    private static NamedXContentRegistry.Entry action(
            String name, CheckedFunction<XContentParser, LifecycleAction, IOException> parse) {
        return new NamedXContentRegistry.Entry(LifecycleAction.class, new ParseField(name), parse);
    }

    /** `set` and `remove` in their plainest form. */
    @Override
    public Map<String, Processor.Factory> getProcessors(Processor.Parameters parameters) {
        return Map.of(
                "set",
                (all, tag, description, config, project) -> {
                    String field =
                            ConfigurationUtils.readStringProperty("set", tag, config, "field");
                    Object value = ConfigurationUtils.readObject("set", tag, config, "value");
                    return processor(
                            "set",
                            tag,
                            description,
                            document -> document.setFieldValue(field, value));
                },
                "remove",
                (all, tag, description, config, project) -> {
                    String field =
                            ConfigurationUtils.readStringProperty("remove", tag, config, "field");
                    boolean ignoreMissing =
                            ConfigurationUtils.readBooleanProperty(
                                    "remove", tag, config, "ignore_missing", false);
                    return processor(
                            "remove",
                            tag,
                            description,
                            document -> document.removeField(field, ignoreMissing));
                });
    }

    private static Processor processor(
            String type, String tag, String description, Consumer<IngestDocument> change) {
        return new AbstractProcessor(tag, description) {
            @Override
            public IngestDocument execute(IngestDocument document) {
                change.accept(document);
                return document;
            }

            @Override
            public String getType() {
                return type;
            }
        };
    }
}
