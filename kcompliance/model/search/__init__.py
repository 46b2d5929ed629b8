"""What Elasticsearch and OpenSearch answer about a trail that they hold, understood."""
