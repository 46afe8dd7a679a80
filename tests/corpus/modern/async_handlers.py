"""Handlers that wait."""
import asyncio
import logging


async def request(flow):
    logging.info(f"handle request: {flow.request.host}{flow.request.path}")
    await asyncio.sleep(0.001)
    flow.request.headers["x-waited"] = "yes"


async def response(flow):
    await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0))
    flow.response.headers["x-waited"] = "too"
