"""Verifies a log of loomflow without loomflow: its lines on stdin, the key in hex as argument."""
import hashlib, hmac, json, re, sys

key = bytes.fromhex(sys.argv[1])
line_form = re.compile(rb'(\{.*?),"mac":"([0-9a-f]{64})","salt":"([0-9a-f]{32})","payload":(\{.*\})\}\n')
head, size = "0" * 64, 0
for line in sys.stdin.buffer:
    signed, mac, salt, payload = line_form.fullmatch(line).groups()
    header = json.loads(signed + b"}")
    size += 1
    assert header["seq"] == size, f"entry {size} says it is {header['seq']}"
    assert header["prev"] == head, f"entry {size} doesn't follow the one before"
    ph = hashlib.sha256(b"\x02" + bytes.fromhex(salt.decode()) + payload).hexdigest()
    assert header["ph"] == ph, f"the payload of entry {size} isn't the one that was signed"
    leaf = hashlib.sha256(b"\x00" + signed).digest()
    tag = hmac.new(key, b"loom-audit/1" + leaf, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(mac.decode(), tag), f"the mac of entry {size} doesn't fit"
    head = leaf.hex()
print(f"{size}:{head}")
