"""feedbridge: a stateless bridge between trading venues and Apache Kafka."""

__version__ = "0.1.0"
