#!/usr/bin/env python3
"""A Parley client with Python's standard library only: HTTP for what it says, server-sent events for what it hears.

    python3 chat.py http://127.0.0.1:3000 alice General            # prints what is said, until it is stopped
    python3 chat.py http://127.0.0.1:3000 alice General "Hello"    # says something and ends
"""
import json
import sys
import time
import urllib.error
import urllib.request
import uuid

RETRY_S = 0.5
SILENCE_S = 60


class Refused(Exception):
    """The server's answer was no; `temporary` says whether asking again can help."""

    def __init__(self, status, code, detail):
        super().__init__(f"{code}: {detail}")
        self.temporary = status in (429, 503)


class Parley:
    def __init__(self, url, user):
        self.url = url.rstrip("/")
        self.token = None
        self.token = self.call("POST", "/api/auth/demo", {"user": user})["token"]

    def call(self, method, path, body=None, key=None):
        try:
            with urllib.request.urlopen(self.request(method, path, body, key), timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            raise Refused(error.code, problem.get("code"), problem.get("detail")) from None

    def request(self, method, path, body=None, key=None, headers=()):
        request = urllib.request.Request(self.url + path, method=method, headers=dict(headers))
        request.add_header("Accept", "application/json")
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        if key:
            request.add_header("Idempotency-Key", key)
        if body is not None:
            request.add_header("Content-Type", "application/json")
            request.data = json.dumps(body).encode()
        return request

    def say(self, room, content):
        """Sends a message once, however often the network fails: the key stays the same."""
        key = str(uuid.uuid4())
        while True:
            try:
                return self.call("POST", f"/api/rooms/{room}/messages", {"content": content}, key)
            except Refused as refused:
                if not refused.temporary:
                    raise
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(RETRY_S)

    def events(self):
        """Frames of the feed, for ever. After a lost connection it goes on from the last cursor."""
        cursor = None
        while True:
            try:
                headers = {"Accept": "text/event-stream", **({"Last-Event-ID": cursor} if cursor else {})}
                with urllib.request.urlopen(self.request("GET", "/api/events", headers=headers.items()), timeout=SILENCE_S) as stream:
                    for name, frame, last_id in frames(stream):
                        yield name, frame
                        cursor = last_id or cursor
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                if isinstance(error, urllib.error.HTTPError) and error.code < 429:
                    raise
                time.sleep(RETRY_S)


def frames(stream):
    """Parses server-sent events: (event, data as JSON, id)."""
    name, data, last_id = "message", [], None
    for line in stream:
        field, _, value = line.decode().rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif field == "id":
            last_id = value
        elif not field and not value and data:
            yield name, json.loads("\n".join(data)), last_id
            name, data, last_id = "message", [], None


def main():
    url, user, room, *words = sys.argv[1:]
    parley = Parley(url, user)
    parley.call("POST", f"/api/rooms/{room}/join", {})
    if words:
        print(parley.say(room, " ".join(words))["id"])
        return
    last = 0
    for name, frame in parley.events():
        if name == "caught_up":
            print(f"listening in {room}", flush=True)
        # A resume may bring an event again: the sequence of a room rises, so what is known is skipped.
        if name == "event" and frame["type"] == "message.sent" and frame["room"] == room and frame["seq"] > last:
            last = frame["seq"]
            print(f"{frame['data']['sender']}: {frame['data']['content']}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    try:
        main()
    except KeyboardInterrupt:
        pass
    except Refused as refused:
        sys.exit(f"refused: {refused}")
