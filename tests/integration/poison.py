"""Values that no state worker can use, one of every kind."""

BAD = (
    b"",
    b"{",
    b"not json",
    b"\xff\xfe\x00",
    b"[1, 2]",
    b'{"event_id": "e"}',
    b'{"event_id":"b7","event_type":"teleport","user_id":"u","item_id":"i","event_time":"2024-01-01T00:00:00Z"}',
    b'{"event_id":"b8","event_type":"view","user_id":"u","event_time":"2024-01-01T00:00:00Z"}',
    b'{"event_id":"b9","event_type":"view","user_id":"u","item_id":"i","event_time":"yesterday"}',
    b'{"event_id":"b10","event_type":"rating","value":99,"user_id":"u","item_id":"i",'
    b'"event_time":"2024-01-01T00:00:00Z"}',
    b'{"schema_version":9,"event_id":"b11","event_type":"view","user_id":"u","item_id":"i",'
    b'"event_time":"2024-01-01T00:00:00Z"}',
)
