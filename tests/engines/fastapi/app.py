"""The counter of the tests, on the sessions of the FastAPI system."""

import asyncio
from typing import Optional

from fastapi import Depends, FastAPI
from fastapi.requests import Request
from fastapi.responses import PlainTextResponse
from fastapi_framework import Session, redis_dependency
from fastapi_framework.session import SessionNotExists
from pydantic import BaseModel


class Counter(BaseModel):
    count: int = 0
    name: Optional[str] = None


app = FastAPI(default_response_class=PlainTextResponse)
session = Session(app, Counter, Counter())


@app.exception_handler(SessionNotExists)
async def session_not_exists(_request: Request, _error: SessionNotExists):
    return PlainTextResponse("no session", status_code=401)


@app.get("/")
async def count(data: Counter = Depends(session.get_data)):
    return str(data.count)


@app.get("/name")
async def show_name(data: Counter = Depends(session.get_data)):
    return str(data.name)


@app.post("/add")
async def add(request: Request, data: Counter = Depends(session.get_data)):
    data.count += 1
    await session.update_session(request, data)
    return str(data.count)


is_there, go_on = asyncio.Event(), asyncio.Event()


@app.post("/held")
async def held(request: Request, data: Counter = Depends(session.get_data)):
    """Adds one when it is let, after the session was read."""
    is_there.set()
    await go_on.wait()
    go_on.clear()
    return await add(request, data)


@app.get("/held")
async def wait_for_held():
    """Answers when a request is held."""
    await is_there.wait()
    is_there.clear()
    return ""


@app.post("/go-on")
async def let_go_on():
    go_on.set()
    return ""


@app.post("/name/{name}")
async def name(request: Request, name: str, data: Counter = Depends(session.get_data)):
    data.name = name
    await session.update_session(request, data)
    return ""


@app.post("/logout")
async def log_out(request: Request):
    """The system has no call for it: what its users do is delete the key."""
    await (await redis_dependency()).delete(f"session:id:{request.state.session_id}")
    return ""
