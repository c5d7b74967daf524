"""One socket to the broker. Frames go through the codec; no policy lives here."""

import itertools
import time

import zmq

from .messages import Error, decode, encode


class Silence(Exception):
    """Nothing was answered in time."""


class Connection:
    """A DEALER on one endpoint. It is used once: after silence or NO_SESSION a peer closes it and opens a new one."""

    def __init__(self, endpoint):
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IMMEDIATE, 1)  # nothing queues for a broker that is not there
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)
        self._requests = itertools.count(1)
        self._put_back = []

    @property
    def socket(self):
        return self._socket

    def next_request(self):
        return next(self._requests)

    def send(self, message, seconds=0):
        """Hands a message to the socket; False if there is no connection within that time. True proves nothing."""
        return self.send_frames([encode(message)], seconds)

    def send_frames(self, frames, seconds=0):
        if not self._socket.poll(int(seconds * 1000), zmq.POLLOUT):
            return False
        try:
            self._socket.send_multipart(frames, zmq.DONTWAIT)
        except zmq.Again:
            return False
        return True

    def receive(self, seconds=0):
        """The next message, or None if none comes in time."""
        if self._put_back:
            return self._put_back.pop(0)
        if not self._socket.poll(int(seconds * 1000)):
            return None
        return decode(self._socket.recv())

    def answer_to(self, request, seconds=10):
        """The answer to a request. Other messages stay for receive()."""
        aside, end = [], time.monotonic() + seconds
        try:
            while (message := self.receive(max(0, end - time.monotonic()))) is not None:
                if message.request == request:
                    return message
                aside.append(message)
        finally:
            self._put_back = aside + self._put_back
        raise Silence(f"request {request} was not answered within {seconds} s; came: {aside}")

    def call(self, shape, *fields, seconds=10):
        """Sends a request of that shape and returns its answer."""
        request = self.next_request()
        if not self.send(shape(request, *fields), seconds):
            raise Silence(f"no connection within {seconds} s")
        return self.answer_to(request, seconds)

    def expect(self, shape, seconds=10):
        """The next message of that shape. Others stay for receive(); an ERROR is returned as well."""
        aside, end = [], time.monotonic() + seconds
        try:
            while (message := self.receive(max(0, end - time.monotonic()))) is not None:
                if isinstance(message, (shape, Error)):
                    return message
                aside.append(message)
        finally:
            self._put_back = aside + self._put_back
        raise Silence(f"no {shape.__name__} within {seconds} s; came: {aside}")

    def close(self, linger_ms=0):
        self._socket.close(linger_ms)
