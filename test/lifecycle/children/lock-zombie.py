# SPDX-License-Identifier: MIT
#
# lock-zombie <command...>: starts a lock-peer and makes it acquire. Kills it at the next line of the input and does not wait
# for it, so that it stays a zombie until the input ends.
import os
import subprocess
import sys

env = dict(os.environ)
if env.get('PRELOAD'):
    env['LD_PRELOAD'] = env['PRELOAD']
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
child.stdin.write(b'["acquireSync"]\n')
child.stdin.flush()
for line in child.stdout:
    if b'"result":true' in line:
        break
print(child.pid, flush=True)
sys.stdin.readline()
os.kill(child.pid, 9)
os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
print('zombie', flush=True)
sys.stdin.readline()
child.wait()
