"""Reads what a backend received as python3-h11 does, for the tests that compare parsers.

Input: for each case its length, four bytes, big end first, and its bytes. Output: a line
of JSON: the requests, and what stands in the way of a further one ("cut": bytes are
missing; else the reason, or nothing). Ends with its input.
"""

import json
import struct
import sys

import h11


def read_all(raw):
    conn = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    conn.receive_data(raw)
    requests, now = [], None
    try:
        while True:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                return requests, "cut" if now or conn.trailing_data[0] else ""
            if isinstance(event, h11.Request):
                fields = [(n.decode("latin1"), v.decode("latin1")) for n, v in event.headers]
                now = {
                    "Method": event.method.decode("latin1"),
                    "Target": event.target.decode("latin1"),
                    "Host": "|".join(v for n, v in fields if n == "host"),
                    "Body": "",
                    "From": "|".join(v for n, v in fields if n == "x-forwarded-for"),
                }
            elif isinstance(event, h11.Data):
                now["Body"] += event.data.decode("latin1")
            elif isinstance(event, h11.EndOfMessage):
                requests.append(now)
                now = None
                conn.send(h11.Response(status_code=204, headers=[]))
                conn.send(h11.EndOfMessage())
                conn.start_next_cycle()
            else:
                return requests, repr(event)
    except h11.ProtocolError as err:
        return requests, str(err)


def main():
    while True:
        size = sys.stdin.buffer.read(4)
        if len(size) < 4:
            return
        raw = sys.stdin.buffer.read(struct.unpack(">I", size)[0])
        requests, rest = read_all(raw)
        sys.stdout.write(json.dumps({"Requests": requests, "Rest": rest}) + "\n")
        sys.stdout.flush()


main()
