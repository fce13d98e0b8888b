#!/usr/bin/env python3
"""Shadows as a program sees them through boto3, REST signed with SigV4: classic
and named, versions, numbers, sizes, and each way to be refused with the
exception and the words that programs look for.

Ends with "done"; an assertion that fails ends it with a traceback.
"""
import contextlib
import json

import boto3

data = boto3.client("iot-data")
THING = "boto3-pump"


@contextlib.contextmanager
def refused(name, status, message):
    """The call inside has to raise this exception of the client."""
    try:
        yield
    except getattr(data.exceptions, name) as error:
        said = error.response["Error"]["Message"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert said == (message, status), said
        return
    raise AssertionError(f"{name} was not raised")


def raw(answer):
    return answer["payload"].read().decode()


def update(payload, **name):
    return raw(data.update_thing_shadow(thingName=THING, payload=payload, **name))


def get(**name):
    return raw(data.get_thing_shadow(thingName=THING, **name))


def live(name, words):
    """The life of one shadow; name is empty or {"shadowName": ...}, words is
    what the texts of errors call it."""
    absent = f"No shadow exists with name: '{words}'"
    with refused("ResourceNotFoundException", 404, absent):
        get(**name)
    with refused("ResourceNotFoundException", 404, absent):
        data.delete_thing_shadow(thingName=THING, **name)

    first = json.loads(update('{"state":{"desired":{"speed":40}},"clientToken":"t-1"}', **name))
    stamp = first["timestamp"]
    assert isinstance(stamp, int), first
    assert first == {"state": {"desired": {"speed": 40}}, "metadata": {"desired": {"speed": {"timestamp": stamp}}},
                     "version": 1, "timestamp": stamp, "clientToken": "t-1"}, first
    seen = json.loads(get(**name))
    assert seen["state"] == {"desired": {"speed": 40}, "delta": {"speed": 40}} and seen["version"] == 1, seen

    with refused("ConflictException", 409, "Version conflict"):
        update('{"state":{"desired":{"speed":41}},"version":7}', **name)
    assert json.loads(update('{"state":{"reported":{"speed":40}},"version":1}', **name))["version"] == 2
    assert json.loads(get(**name))["state"] == {"desired": {"speed": 40}, "reported": {"speed": 40}}

    gone = json.loads(raw(data.delete_thing_shadow(thingName=THING, **name)))
    assert sorted(gone) == ["timestamp", "version"] and gone["version"] == 2, gone
    with refused("ResourceNotFoundException", 404, absent):
        get(**name)
    assert json.loads(update('{"state":{"desired":null}}', **name))["version"] > 2, "versions outlive a deletion"


def keep_numbers():
    """What is sent comes back digit by digit."""
    text = '{"big":123456789012345678901234567890,"price":1.50,"tiny":1e-400,"zero":-0,"list":[1.0,10000000000000000001]}'
    update('{"state":{"reported":' + text + '}}')
    assert text in get(), get()
    update('{"state":{"desired":{"zero":0,"price":1.5,"list":[1,10000000000000000001]}}}')
    assert "delta" not in json.loads(get())["state"], "numbers are compared by value"


def find_named():
    assert data.list_named_shadows_for_thing(thingName="nobody")["results"] == []
    for name in ("net", "config", "alarm"):
        update('{"state":{"reported":{"on":true}}}', shadowName=name)
    names, token = [], {}
    while True:
        page = data.list_named_shadows_for_thing(thingName=THING, pageSize=2, **token)
        assert len(page["results"]) <= 2 and isinstance(page["timestamp"], int), page
        names += page["results"]
        if not page.get("nextToken"):
            break
        token = {"nextToken": page["nextToken"]}
    assert names == ["alarm", "config", "net"], names
    data.delete_thing_shadow(thingName=THING, shadowName="config")
    assert data.list_named_shadows_for_thing(thingName=THING)["results"] == ["alarm", "net"]


def be_refused():
    tests = [
        ("", ""),  # in words of the validator's
        ("hello", "Invalid JSON"),
        ("[]", "Invalid JSON"),
        ('{"state":{"reported":{"list":[1,null]}}}', "Invalid JSON"),
        ('{"version":1}', "Missing required node: state"),
        ('{"state":7}', "State node must be an object"),
        ('{"state":{"desired":[]}}', "Desired node must be an object"),
        ('{"state":{"reported":1}}', "Reported node must be an object"),
        ('{"state":{"foo":{}}}', "State contains an invalid node: 'foo'"),
        ('{"state":{},"version":"1"}', "Invalid version"),
        ('{"state":{},"clientToken":"' + 65 * "t" + '"}', "Invalid clientToken"),
        ('{"state":{"desired":' + 9 * '{"a":' + "1" + 9 * "}" + "}}", "JSON contains too many levels of nesting; maximum is 6"),
    ]
    for payload, message in tests:
        try:
            update(payload)
        except data.exceptions.InvalidRequestException as error:
            said = error.response["Error"]["Message"]
            assert said.startswith(message), (payload, said)
        else:
            raise AssertionError(f"{payload} was taken")
    with refused("UnsupportedDocumentEncodingException", 415, "Unsupported documented encoding; supported encoding is UTF-8"):
        update(b'{"state":{"reported":{"name":"\xff"}}}')
    be_refused_by_size()


def be_refused_by_size():
    """8192 bytes of compact desired and reported are the limit, counted after the merge."""
    thing = {"shadowName": "full"}
    frame = len('{"desired":{"blob":""},"reported":{"a":1}}')
    update('{"state":{"reported":{"a":1}}}', **thing)
    update(json.dumps({"state": {"desired": {"blob": (8192 - frame - 100) * "x"}}}), **thing)
    with refused("RequestEntityTooLargeException", 413, "The payload exceeds the maximum size allowed"):
        update(json.dumps({"state": {"reported": {"more": 200 * "x"}}}), **thing)
    assert json.loads(get(**thing))["version"] == 2, "what is refused changes nothing"
    with refused("RequestEntityTooLargeException", 413, "The payload exceeds the maximum size allowed"):
        update(json.dumps({"state": {"reported": {"more": 100000 * "x"}}}), **thing)


def main():
    live({}, THING)
    live({"shadowName": "gear"}, "gear")
    data.delete_thing_shadow(thingName=THING, shadowName="gear")
    keep_numbers()
    find_named()
    be_refused()
    print("done")


if __name__ == "__main__":
    main()
