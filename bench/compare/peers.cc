#include "bench/compare/beanstalkd.h"
#include "bench/compare/gearmand.h"
#include "bench/compare/nats.h"
#include "bench/compare/peer.h"
#include "bench/compare/rabbitmq.h"
#include "bench/compare/redis.h"
#include "bench/compare/rota_peer.h"

namespace rota::compare {

std::unique_ptr<Peer> make_peer(const Load& load) {
  if (load.peer == "rota") return make_rota(load);
  if (load.peer == "redis-list") return make_redis_list(load, false);
  if (load.peer == "redis-script") return make_redis_list(load, true);
  if (load.peer == "redis-stream") return make_redis_stream(load);
  if (load.peer == "beanstalkd") return make_beanstalkd(load);
  if (load.peer == "gearmand-background") return make_gearmand(load, false);
  if (load.peer == "gearmand-foreground") return make_gearmand(load, true);
  if (load.peer == "nats") return make_nats(load);
  if (load.peer == "rabbitmq") return make_rabbitmq(load, false);
  if (load.peer == "rabbitmq-quorum") return make_rabbitmq(load, true);
  return nullptr;
}

std::string_view peer_names() {
  return "rota, redis-list, redis-script, redis-stream, beanstalkd, gearmand-background, gearmand-foreground, nats, "
         "rabbitmq, rabbitmq-quorum";
}

}  // namespace rota::compare
