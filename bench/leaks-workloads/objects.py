"""Records in a dictionary, counted, written as JSON and read again."""
import collections
import json

records = {f"k{number}": [number, str(number), {"a": number}] for number in range(300000)}
lengths = collections.Counter(len(record[1]) for record in records.values())
copy = json.loads(json.dumps(records))
assert copy == records and len(lengths) == 6
