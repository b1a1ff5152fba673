#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Make a server of this machine as far away as another site: far_away.py PORT OF_THE_SERVER SECONDS

Whatever is sent to PORT arrives at OF_THE_SERVER so many SECONDS later, and the answers likewise; nothing is slower but
the way. It stands in for a network where the kernel cannot delay packets.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

CHUNK = 1 << 16


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Deliver what comes in, in order, each piece so many seconds after it came."""
    loop, on_the_way = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def deliver() -> None:
        while True:
            due, piece = await on_the_way.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                break
            writer.write(piece)
            await writer.drain()
        writer.close()

    delivering = asyncio.create_task(deliver())
    with contextlib.suppress(OSError):
        while piece := await reader.read(CHUNK):
            on_the_way.put_nowait((loop.time() + seconds, piece))
    on_the_way.put_nowait((loop.time() + seconds, b""))
    with contextlib.suppress(OSError):
        await delivering


async def serve(port: int, server: int, seconds: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", server)
        await asyncio.gather(carry(reader, there_writer, seconds), carry(there_reader, writer, seconds))

    async with await asyncio.start_server(connected, "127.0.0.1", port) as listening:
        await listening.serve_forever()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
