import ctypes
import datetime
import decimal
import getpass
import hashlib
import json
import locale
import os
import pathlib
import random
import sqlite3
import ssl
import tempfile
import time
import unicodedata
import uuid
import zipfile
import zlib
import zoneinfo

print(hashlib.sha256(b"x").hexdigest()[:8], zlib.crc32(b"x"), len(uuid.uuid4().hex))
with tempfile.TemporaryDirectory() as directory:
    path = pathlib.Path(directory, "ä.zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", "content")
    print(zipfile.ZipFile(path).read("a"), directory.startswith("/tmp/"))
base = sqlite3.connect("data.db")
base.execute("CREATE TABLE t(x)")
base.execute("INSERT INTO t VALUES (1), (2)")
base.commit()
print(base.execute("SELECT sum(x) FROM t").fetchone())
print(json.dumps({"ü": [1, None]}, ensure_ascii=False), decimal.Decimal("0.1") * 3)
print(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset())
print(os.getcwd(), os.environ["HOME"], getpass.getuser(), time.tzname[0], os.path.expanduser("~"))
print(locale.getpreferredencoding(), unicodedata.name("☃"), ssl.OPENSSL_VERSION.split()[0])
print(ctypes.CDLL(None).abs(-3), random.Random(1).randint(0, 100), os.cpu_count() >= 1)
# Output:
# 2d711642 2363233923 32
# b'content' True
# (3,)
# {"ü": [1, null]} 0.3
# 2:00:00
# /workspace /workspace sandbox UTC /workspace
# UTF-8 SNOWMAN OpenSSL
# 3 17 True
