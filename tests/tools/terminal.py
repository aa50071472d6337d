# SPDX-License-Identifier: Apache-2.0
"""Programs that ask somebody who sits at a terminal."""
import fcntl, os, pty, select, subprocess, termios


def on_terminal(argv, env, prompt, answer):
    """Runs a program on a terminal of its own, and answers its question there -> exit code, all it said"""
    ours, theirs = pty.openpty()
    p = subprocess.Popen(argv, env=env, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True, start_new_session=True,
                         preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(theirs)
    said, asked = b'', False
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # it is gone
            break
        said += piece
        if not piece:
            break
        if not asked and prompt in said:
            asked = True
            os.write(ours, answer.encode() + b'\n')
    os.close(ours)
    if p.poll() is None:
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    return p.returncode, said.decode(errors='replace')
