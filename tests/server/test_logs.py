import json
import logging

from void_server.logs import JsonLines


def test_a_line_is_an_object_with_its_job_and_key() -> None:
    record = logging.makeLogRecord(
        {
            "name": "void_server.server",
            "levelname": "INFO",
            "msg": "job %s\nends",
            "args": ("a-job-1",),
            "created": 1.5,
        }
    )
    record.__dict__ |= {"job": "a-job-1", "key": "anna", "msecs": 500.0}
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "1970-01-01T00:00:01.500Z",
        "level": "info",
        "from": "void_server.server",
        "says": "job a-job-1\nends",
        "job": "a-job-1",
        "key": "anna",
    }


def test_an_exception_is_told_in_the_same_line() -> None:
    try:
        raise ValueError("of the test")
    except ValueError as error:
        trace = (type(error), error, error.__traceback__)
    record = logging.makeLogRecord({"msg": "it failed", "exc_info": trace})
    line = JsonLines().format(record)
    assert "\n" not in line
    assert "ValueError: of the test" in json.loads(line)["trace"]
