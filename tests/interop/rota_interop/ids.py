"""Ids of jobs: a UUIDv7 that carries its queue's slot."""

import os
import time
import uuid


def slot_of(queue):
    """The low 12 bits of CRC-16/XMODEM of the queue's name."""
    crc = 0
    for byte in queue.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc & 0xFFF


def make_id(queue, unix_ms):
    random = int.from_bytes(os.urandom(8), "big") >> 2
    return uuid.UUID(int=unix_ms << 80 | 7 << 76 | slot_of(queue) << 64 | 2 << 62 | random)


class IdClock:
    """The broker's clock for ids: what WELCOME said, and the time that has passed since."""

    def __init__(self, wall_ms):
        self._offset = wall_ms - time.monotonic_ns() // 1_000_000

    def now(self):
        return time.monotonic_ns() // 1_000_000 + self._offset
