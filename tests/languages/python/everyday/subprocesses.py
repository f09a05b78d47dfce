import os
import subprocess
import sys

print(subprocess.run(["sort", "-n"], input="10\n9\n", capture_output=True, text=True).stdout.split())
print(subprocess.check_output("echo $((1 + 1)) | tr 2 3", shell=True, text=True).strip())
print(subprocess.run([sys.executable, "-c", "import sys; sys.exit(7)"]).returncode)
with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cat:
    print(cat.communicate(b"through a pipe")[0])
try:
    subprocess.run(["sleep", "60"], timeout=0.05)
except subprocess.TimeoutExpired:
    print("timed out")
print(os.popen("pwd").read().strip())
# Output:
# ['9', '10']
# 3
# 7
# b'through a pipe'
# timed out
# /workspace
