# SPDX-License-Identifier: Apache-2.0
# Ctrl-C at a terminal loses nothing: python3 terminal_test.py WORK PROGRAM ARGUMENTS... ends with what is wrong.
import os
import pty
import select
import signal
import subprocess
import sys
import time

work, command = sys.argv[1], sys.argv[2:]
TIMEOUT = 60
CTRL_C, CTRL_D = "\x03", "\x04"
QUESTION = "There is a red circle and a blue star. What is right of the red circle?\n"


class Terminal:
    """The program at a terminal of its own."""

    def __init__(self, *arguments):
        self.seen = ""
        self.at = 0  # where what was waited for ended
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", XDG_STATE_HOME=work, NO_COLOR="1")
            os.execv(command[0], [*command, *arguments])

    def read(self):
        """Waits a second for more; false at the end."""
        if not select.select([self.file], [], [], 1)[0]:
            return True
        try:
            data = os.read(self.file, 65536)
        except OSError:
            data = b""
        self.seen += data.decode(errors="replace").replace("\r", "")
        return bool(data)

    def wait_for(self, text):
        end = time.monotonic() + TIMEOUT
        while text not in self.seen[self.at :]:
            if not self.read() or time.monotonic() > end:
                sys.exit(f"'{text}' did not come behind:\n{self.seen}")
        self.at = self.seen.index(text, self.at) + len(text)

    def type(self, text):
        os.write(self.file, text.encode())

    def ask(self, text, answer):
        self.type(text)
        self.wait_for(answer)
        self.wait_for("\n> ")

    def end(self, how):
        """Types it; what the program returns, negative after a signal."""
        self.type(how)
        while self.read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: expected {wanted!r}, found {found!r}")


# At a prompt, with and without a line that was begun, it ends nothing.
saved = os.path.join(work, "terminal.chat")
chat = Terminal("--think", "off")
chat.wait_for("\n> ")
chat.ask(QUESTION, "A blue star.")
for begun in ("", "", "half a line", "\\\n"):
    chat.type(begun)
    time.sleep(0.2)
    chat.ask(CTRL_C, "[/exit ends the program")
chat.ask("/nonsense\n", "no such command")  # a command that fails ends nothing either
chat.ask("How many shapes are there?\n", "Two shapes.")
chat.ask(f"/save {saved}\n", "[4 messages]")
chat.type(CTRL_C)
chat.wait_for("[/exit ends the program")
expect("after /exit", chat.end("/exit\n"), 0)
chat = Terminal("--load", saved)
chat.wait_for("\n> ")
chat.ask("/history\n", "[4 messages]")
expect("at the end of the input", chat.end(CTRL_D), 0)

# In the middle of an answer, at once or later, it ends the answer; what was said before is there.
for wait in (0, 0.01, 0.05, 0.2, 0.5):
    chat = Terminal("--think", "off", "-n", "100000", "--temp", "9", "--min-p", "0", "--seed", "1")
    chat.wait_for("\n> ")
    chat.type(QUESTION)
    time.sleep(wait)
    chat.ask(CTRL_C, "]")
    chat.ask("/history\n", " messages]")
    chat.ask("/reset\n", "[empty]")
    expect("after an answer that was stopped", chat.end("/exit\n"), 0)

# Whenever it comes to a program that saves, the file is there as it was, and nothing beside it.
with open(saved, "rb") as file:
    before = file.read()
for step in range(6):
    chat = Terminal("--load", saved, "-n", "2")
    chat.wait_for("\n> ")
    chat.type(f"/save {saved}\n")
    time.sleep(step * 0.001)
    chat.ask(CTRL_C, "]")  # the line may have been taken back before it was read
    expect("after /save", chat.end("/exit\n"), 0)


def left_behind():
    return [os.path.join(work, name) for name in os.listdir(work) if name.endswith(".part")]


expect("left behind at a terminal", left_behind(), [])
# Through a pipe it ends the program at its next step: a file is saved or as it was.
def piped(*arguments):
    # (A buffer would keep what was read behind the first byte from communicate().)
    return subprocess.Popen(
        [*command, *arguments], bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


for step in range(6):
    chat = piped("--load", saved)
    chat.stdin.write(f"/history\n/save {saved}\n/save {saved}\n".encode())
    chat.stdin.flush()
    while b"[4 messages]" not in chat.stderr.readline():
        pass
    time.sleep(step * 0.001)
    chat.send_signal(signal.SIGINT)
    _, notes = chat.communicate()
    expect("through a pipe", chat.returncode, -signal.SIGINT)
    if b": interrupted: the input had not ended; only /save keeps the conversation\n" not in notes:
        sys.exit(f"through a pipe it said: {notes}")
with open(saved, "rb") as file:
    expect("what was saved", file.read() == before, True)
expect("left behind", left_behind(), [])
# In the middle of an answer what was written of it has arrived, and the next question is not asked. (Most seeds write
# hundreds of tokens; an answer may be over before the signal comes all the same.)
for number in (signal.SIGINT, signal.SIGTERM):
    for seed in range(121, 131):
        chat = piped("--think", "off", "-n", "100000", "--temp", "9", "--min-p", "0", "--top-k", "0", "--top-p", "1", "--seed", str(seed))
        chat.stdin.write(f"{QUESTION}{QUESTION}".encode())
        chat.stdin.flush()
        first = chat.stdout.read(1)
        chat.send_signal(number)
        rest, notes = chat.communicate()
        if notes.count(b"written at") == 1:
            break
    expect("in an answer", chat.returncode, -number)
    expect("answers", (first + rest).count(b"\n") > 0 and notes.count(b"written at"), 1)
    if b": interrupted: the answer is not whole; only /save keeps the conversation\n" not in notes:
        sys.exit(f"in an answer it said: {notes}")
