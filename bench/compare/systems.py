"""What stands in the tables: a server, how it is set up, and how the load generator talks to it."""

from dataclasses import dataclass, field

from servers import Beanstalkd, Gearmand, Nats, RabbitMq, Redis, Rota


@dataclass(frozen=True)
class System:
    name: str  # as --only and the tables have it
    peer: str  # of rota-compare-load
    server: type
    durability: str  # memory or fsync
    says: str  # what the guarantee is, in the tables
    options: dict = field(default_factory=dict)  # of the server
    load: tuple = ()  # further options of rota-compare-load

    @property
    def is_rota(self):
        return self.server is Rota


MEMORY = [
    System("rota", "rota", Rota, "memory", "in memory", {"memory_limit": "8GiB"}),
    System("gearmand-foreground", "gearmand-foreground", Gearmand, "memory", "in memory, the client gets the result"),
    System("gearmand-background", "gearmand-background", Gearmand, "memory", "in memory"),
    System("redis-list", "redis-list", Redis, "memory", "in memory; LMOVE and a list for each worker"),
    System("redis-script", "redis-script", Redis, "memory", "in memory; the same, a batch moved by a Lua script"),
    System("redis-stream", "redis-stream", Redis, "memory", "in memory; a stream with a consumer group"),
    System("beanstalkd", "beanstalkd", Beanstalkd, "memory", "in memory"),
    System("nats", "nats", Nats, "memory", "JetStream, memory storage"),
    System("rabbitmq", "rabbitmq", RabbitMq, "memory", "transient, with confirms"),
]

FSYNC = [
    System("rota", "rota", Rota, "fsync", "synced before the answer; default `keep`"),
    System("rota-keep-0", "rota", Rota, "fsync", "synced before the answer; `keep 0`", load=("--keep-ms", "0")),
    System("redis-list", "redis-list", Redis, "fsync", "appendfsync always"),
    System("redis-script", "redis-script", Redis, "fsync", "appendfsync always"),
    System("redis-stream", "redis-stream", Redis, "fsync", "appendfsync always"),
    System("redis-list-everysec", "redis-list", Redis, "fsync", "appendfsync everysec", {"appendfsync": "everysec"}),
    System("beanstalkd", "beanstalkd", Beanstalkd, "fsync", "-f0: synced before the answer"),
    System("beanstalkd-50ms", "beanstalkd", Beanstalkd, "fsync", "-f50: synced every 50 ms", {"sync_ms": 50}),
    System("gearmand-sqlite", "gearmand-background", Gearmand, "fsync", "SQLite queue"),
    System("nats", "nats", Nats, "fsync", "JetStream, file storage"),
    System("rabbitmq", "rabbitmq", RabbitMq, "fsync", "durable, persistent, with confirms"),
    System("rabbitmq-quorum", "rabbitmq-quorum", RabbitMq, "fsync", "quorum queue of one member, with confirms"),
]

# Servers and clients as they come.
PLAIN = [
    System("rota", "rota", Rota, "default", "submit(); synced before the answer"),
    System("rota-gathered", "rota-gathered", Rota, "default", "submit_async() and flush(); synced before the answer"),
    System("redis-list", "redis-list", Redis, "default", "hiredis: LPUSH, BRPOPLPUSH, LREM; in memory"),
    System("gearmand-background", "gearmand-background", Gearmand, "default", "libgearman; in memory"),
    System("gearmand-foreground", "gearmand-foreground", Gearmand, "default", "libgearman; in memory, with the result"),
    System("beanstalkd", "beanstalkd", Beanstalkd, "default", "a command at a time; in memory"),
    System("nats", "nats", Nats, "default", "libnats: js_Publish, js_SubscribeSync; file storage"),
    System("rabbitmq", "rabbitmq", RabbitMq, "default", "librabbitmq: a confirm each; durable"),
]

SERVERS = [Rota, Redis, Gearmand, Beanstalkd, Nats, RabbitMq]
