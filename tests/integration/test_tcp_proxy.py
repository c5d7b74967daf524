"""The proxy that the network tests stand on does what it says."""

import socket
import threading
import time
import unittest

from tcp_proxy import BOTH, TO_CLIENT, TO_SERVER, TcpProxy

PATIENCE = 20


class Echo:
    """A server that sends everything back and counts its connections' ends."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.endpoint = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.received = bytearray()
        self.resets = 0
        self.ends = 0
        self.changed = threading.Condition()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer:
            try:
                while data := peer.recv(1 << 18):
                    with self.changed:
                        self.received += data
                        self.changed.notify_all()
                    peer.sendall(data)
            except OSError:
                with self.changed:
                    self.resets += 1
                    self.changed.notify_all()
                return
        with self.changed:
            self.ends += 1
            self.changed.notify_all()

    def wait(self, condition):
        with self.changed:
            return self.changed.wait_for(lambda: condition(self), PATIENCE)


class TcpProxyTest(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.listener.close)
        self.proxy = TcpProxy(self.echo.endpoint)
        self.addCleanup(self.proxy.close)

    def dial(self):
        sock = socket.create_connection(("127.0.0.1", self.proxy.port), timeout=PATIENCE)
        self.addCleanup(sock.close)
        return sock

    def ask(self, sock, data):
        sock.sendall(data)
        return self.take(sock, len(data))

    @staticmethod
    def take(sock, size):
        got = bytearray()
        while len(got) < size:
            part = sock.recv(size - len(got))
            if not part:
                break
            got += part
        return bytes(got)

    def assert_silent(self, sock):
        """Nothing comes: the kernel holds nothing for us now."""
        sock.setblocking(False)
        self.assertRaises(BlockingIOError, sock.recv, 1)
        sock.settimeout(PATIENCE)

    def test_carries_and_counts(self):
        sock = self.dial()
        self.assertEqual(b"hello", self.ask(sock, b"hello"))
        self.assertEqual({TO_SERVER: 5, TO_CLIENT: 5}, self.proxy.bytes)
        self.assertEqual((1, 1), (self.proxy.connections, self.proxy.open_connections))
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(b"", sock.recv(1), "the end is passed on")

    def test_carries_much(self):
        sock = self.dial()
        data = bytes(range(256)) * (32 << 12)  # 32 MiB
        began = time.monotonic()
        sender = threading.Thread(target=sock.sendall, args=(data,))
        sender.start()
        self.assertEqual(data, self.take(sock, len(data)))
        sender.join()
        print(f"{2 * len(data) / (time.monotonic() - began) / 1e6:.0f} MB/s both ways ", end="", flush=True)

    def test_cut_resets_both_ends(self):
        sock = self.dial()
        self.ask(sock, b"x")
        self.assertEqual(1, self.proxy.cut())
        self.assertRaises(ConnectionResetError, sock.recv, 1)
        self.assertTrue(self.echo.wait(lambda echo: echo.resets == 1))
        self.assertEqual(b"y", self.ask(self.dial(), b"y"), "new connections are carried")

    def test_cut_can_end_politely(self):
        sock = self.dial()
        self.ask(sock, b"x")
        self.proxy.cut(reset=False)
        self.assertEqual(b"", sock.recv(1))
        self.assertTrue(self.echo.wait(lambda echo: echo.ends == 1))

    def test_refuse_and_heal(self):
        sock = self.dial()
        self.ask(sock, b"x")
        self.proxy.refuse()
        self.proxy.refuse()
        self.assertRaises(ConnectionRefusedError, self.dial)
        self.proxy.heal()
        self.assertEqual(b"y", self.ask(self.dial(), b"y"))

    def test_black_hole_towards_the_server(self):
        sock = self.dial()
        self.ask(sock, b"x")
        self.proxy.black_hole(TO_SERVER)
        sock.sendall(b"held")
        sock.shutdown(socket.SHUT_WR)
        other = self.dial()
        other.sendall(b"too")
        self.assert_silent(sock)
        self.assertEqual(b"x", bytes(self.echo.received))
        self.proxy.heal()
        self.assertEqual(b"held", self.take(sock, 4))
        self.assertEqual(b"", sock.recv(1))
        self.assertEqual(b"too", self.take(other, 3))

    def test_black_hole_towards_the_client(self):
        sock = self.dial()
        self.ask(sock, b"x")
        self.proxy.black_hole(TO_CLIENT)
        sock.sendall(b"held")
        self.assertTrue(self.echo.wait(lambda echo: echo.received == b"xheld"), "the server hears it")
        self.assert_silent(sock)
        self.proxy.heal()
        self.assertEqual(b"held", self.take(sock, 4))

    def test_black_hole_fills_the_senders_buffer(self):
        sock = self.dial()
        self.proxy.black_hole(BOTH)
        sock.setblocking(False)
        with self.assertRaises(BlockingIOError):
            for _ in range(1000):
                sock.send(bytes(1 << 20))

    def test_reset_mid_frame_tears_what_it_names(self):
        fired = self.proxy.reset_mid_frame(TO_SERVER, fraction=0.5, contains=b"torn")
        sock = self.dial()
        self.assertEqual(b"whole", self.ask(sock, b"whole"))
        sock.sendall(b"torn....")
        self.assertTrue(fired.wait(PATIENCE))
        self.assertRaises(ConnectionResetError, self.take, sock, 100)
        self.assertTrue(self.echo.wait(lambda echo: echo.resets == 1))
        self.assertIn(bytes(self.echo.received), (b"whole", b"wholetorn"))
        self.assertEqual(9, self.proxy.bytes[TO_SERVER])
        self.assertEqual(b"torn....", self.ask(self.dial(), b"torn...."), "springs once")

    def test_reset_of_an_answer(self):
        fired = self.proxy.reset_mid_frame(TO_CLIENT, fraction=0, after=b"question")
        sock = self.dial()
        self.assertEqual(b"x", self.ask(sock, b"x"))
        sock.sendall(b"question")
        self.assertRaises(ConnectionResetError, sock.recv, 1)
        self.assertTrue(fired.is_set())
        self.assertEqual(b"xquestion", bytes(self.echo.received))

    def test_dribble_passes_everything_slowly(self):
        sock = self.dial()
        self.proxy.dribble(2000)
        began = time.monotonic()
        self.assertEqual(b"a" * 1000, self.ask(sock, b"a" * 1000))
        self.assertGreater(time.monotonic() - began, 0.4)  # 1000 bytes at 2000/s; never faster

    def test_delay(self):
        sock = self.dial()
        self.proxy.delay(100)
        began = time.monotonic()
        self.assertEqual(b"abc", self.ask(sock, b"abc"))
        self.assertGreater(time.monotonic() - began, 0.2)

    def test_a_dead_server_is_told_as_a_reset(self):
        self.echo.listener.shutdown(socket.SHUT_RDWR)
        self.echo.listener.close()
        with self.assertRaises(ConnectionResetError):
            self.dial().recv(1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
