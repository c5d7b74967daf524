"""A client and a worker of Rota in Python, written from docs/protocol.md alone: examples to port, and half of the interop tests."""
