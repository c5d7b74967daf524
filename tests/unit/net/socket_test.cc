#include "common/net/socket.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <zmq.hpp>

#include "common/net/endpoint.h"

namespace rota::net {
namespace {

constexpr Millis kLongEnough{10'000};

// Waits for the event itself; a test that needs the whole time has failed.
template <typename Socket>
bool wait_readable(Socket& socket) {
  WaitItem item{socket.raw(), -1, false};
  wait({&item, 1}, kLongEnough);
  return item.readable;
}

// A Dealer takes nothing before its connection stands.
void send_when_connected(Dealer& dealer, std::string_view frame) {
  const Now start = read_clocks();
  while (dealer.send(frame) != SendResult::sent) {
    ASSERT_LT(read_clocks().steady - start.steady, kLongEnough);
    wait({}, Millis{1});
  }
}

Router bind_local(Context& context) {
  auto router = Router::bind(context, "tcp://127.0.0.1:*", {});
  EXPECT_TRUE(router.ok());
  return std::move(*router);
}

TEST(Socket, RequestAndAnswerTravel) {
  Context context;
  Router router = bind_local(context);
  auto dealer = Dealer::connect(context, router.endpoint(), {});
  ASSERT_TRUE(dealer.ok());
  send_when_connected(*dealer, "question");
  ASSERT_TRUE(wait_readable(router));
  Router::Received received;
  ASSERT_TRUE(router.receive(received));
  EXPECT_FALSE(received.malformed);
  EXPECT_EQ(received.frame.view(), "question");
  EXPECT_EQ(router.send(received.from, "answer"), SendResult::sent);
  ASSERT_TRUE(wait_readable(*dealer));
  EXPECT_EQ(dealer->receive()->view(), "answer");
  EXPECT_FALSE(dealer->receive());
  EXPECT_FALSE(router.receive(received));
}

// Waits until `count` is what it should be: the library's thread changes it.
bool becomes(const Router::Unread& count, std::size_t wanted) {
  const Now start = read_clocks();
  while (count->load() != wanted && read_clocks().steady - start.steady < kLongEnough) wait({}, Millis{1});
  return count->load() == wanted;
}

TEST(Socket, LargeFramesCountAsUnreadUntilTheKernelHasThem) {
  Context context;
  Router router = bind_local(context);
  const auto unread = std::make_shared<std::atomic<std::size_t>>(0);
  auto dealer = Dealer::connect(context, router.endpoint(), {});
  ASSERT_TRUE(dealer.ok());
  send_when_connected(*dealer, "hello");
  ASSERT_TRUE(wait_readable(router));
  Router::Received received;
  ASSERT_TRUE(router.receive(received));
  EXPECT_EQ(router.send(received.from, "small", unread), SendResult::sent);
  EXPECT_EQ(unread->load(), 0U);
  const std::string large(1 << 20, 'x');
  EXPECT_EQ(router.send(received.from, large, unread), SendResult::sent);
  ASSERT_TRUE(wait_readable(*dealer));
  EXPECT_EQ(dealer->receive()->view(), "small");
  ASSERT_TRUE(wait_readable(*dealer));
  EXPECT_EQ(dealer->receive()->view(), large);
  EXPECT_TRUE(becomes(unread, 0));
  // To a peer that is not there nothing is handed over.
  EXPECT_EQ(router.send("nobody", large, unread), SendResult::unreachable);
  EXPECT_EQ(unread->load(), 0U);
}

TEST(Socket, SendingToTheDepartedSaysSo) {
  Context context;
  Router router = bind_local(context);
  EXPECT_EQ(router.send("nobody", "hello"), SendResult::unreachable);
}

TEST(Socket, MultipartMessagesAreMalformedAndTheNextOneArrives) {
  Context context;
  Router router = bind_local(context);
  zmq::context_t raw_context;
  zmq::socket_t raw(raw_context, zmq::socket_type::dealer);
  raw.set(zmq::sockopt::linger, 0);
  raw.connect(router.endpoint());
  for (int part = 0; part < 5; ++part) raw.send(zmq::str_buffer("part"), zmq::send_flags::sndmore);
  raw.send(zmq::str_buffer("last"), zmq::send_flags::none);
  raw.send(zmq::str_buffer("good"), zmq::send_flags::none);
  Router::Received received;
  ASSERT_TRUE(wait_readable(router));
  ASSERT_TRUE(router.receive(received));
  EXPECT_TRUE(received.malformed);
  EXPECT_TRUE(received.frame.view().empty());
  while (!router.receive(received)) ASSERT_TRUE(wait_readable(router));
  EXPECT_FALSE(received.malformed);
  EXPECT_EQ(received.frame.view(), "good");
}

TEST(Socket, TwoProcessesWorthOfContextsDoNotShareRoutingIds) {
  Context one;
  Router first = bind_local(one);
  Router second = bind_local(one);
  auto a = Dealer::connect(one, first.endpoint(), {});
  auto b = Dealer::connect(one, second.endpoint(), {});
  send_when_connected(*a, "x");
  send_when_connected(*b, "x");
  Router::Received from_a;
  Router::Received from_b;
  while (!first.receive(from_a)) ASSERT_TRUE(wait_readable(first));
  while (!second.receive(from_b)) ASSERT_TRUE(wait_readable(second));
  EXPECT_NE(from_a.from, from_b.from);
}

TEST(Socket, AddressInUseIsNamed) {
  Context context;
  Router router = bind_local(context);
  const auto again = Router::bind(context, router.endpoint(), {});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::conflict);
  EXPECT_NE(again.error().message.find(router.endpoint()), std::string::npos);
}

TEST(Socket, NonsenseEndpointsAreRefused) {
  Context context;
  EXPECT_EQ(Dealer::connect(context, "nonsense", {}).error().code, Code::bad_message);
  EXPECT_EQ(Router::bind(context, "tcp://", {}).error().code, Code::bad_message);
}

TEST(Endpoint, TakesApartHostAndPort) {
  EXPECT_EQ(parse_tcp_endpoint("tcp://10.0.0.5:5555")->host, "10.0.0.5");
  EXPECT_EQ(parse_tcp_endpoint("tcp://10.0.0.5:5555")->port, 5555);
  EXPECT_EQ(parse_tcp_endpoint("tcp://[::1]:1")->host, "[::1]");
  EXPECT_EQ(parse_tcp_endpoint("tcp://*:*")->port, 0);
  for (const char* text : {"", "tcp://", "tcp://host", "host:1", "tcp://host:99999", "tcp://::1:5", "tcp://host:1x"}) {
    EXPECT_FALSE(parse_tcp_endpoint(text)) << text;
  }
}

TEST(Endpoint, OnlyLoopbackCountsAsLocal) {
  for (const char* text :
       {"tcp://127.0.0.1:5555", "tcp://127.8.8.8:1", "tcp://localhost:5", "tcp://[::1]:5", "ipc:///tmp/x"}) {
    EXPECT_TRUE(is_loopback_endpoint(text)) << text;
  }
  for (const char* text :
       {"tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://10.0.0.1:5", "tcp://[::]:5", "tcp://127.evil.example:5"}) {
    EXPECT_FALSE(is_loopback_endpoint(text)) << text;
  }
}

TEST(Endpoint, AdvertisedWildcardTakesTheHostThatWasReached) {
  EXPECT_EQ(resolve_advertised("tcp://*:5555", "tcp://10.0.0.9:5556"), "tcp://10.0.0.9:5555");
  EXPECT_EQ(resolve_advertised("tcp://queue.local:5555", "tcp://10.0.0.9:5556"), "tcp://queue.local:5555");
}

}  // namespace
}  // namespace rota::net
