package door

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/mandate-health/mandate/internal/errs"
)

// maxMessage bounds one message, and with it the files that a command takes.
const maxMessage = 16 << 20

// Call is a command as its caller's program understood it.
type Call struct {
	// Version is that of the caller's program.
	Version string `json:"version"`
	// Command is its words, such as "keys rotate"; Flags are what was given.
	Command string          `json:"command"`
	Flags   json.RawMessage `json:"flags"`
}

// message is one line on the wire; one of its parts is set.
type message struct {
	Call   *Call   `json:"call,omitempty"`
	Out    []byte  `json:"out,omitempty"`
	Err    []byte  `json:"err,omitempty"`
	Ask    *ask    `json:"ask,omitempty"`
	Answer *answer `json:"answer,omitempty"`
	Exit   *int    `json:"exit,omitempty"`
}

// ask is what the server wants of its caller.
type ask struct {
	// What is input, read or create.
	What    string `json:"what"`
	Path    string `json:"path,omitempty"`
	Content []byte `json:"content,omitempty"`
}

// answer is what came of it; Fault is a sentence.
type answer struct {
	Data  []byte `json:"data,omitempty"`
	End   bool   `json:"end,omitempty"`
	Fault string `json:"fault,omitempty"`
}

// line is one end of a connection. It is safe for one reader and many writers.
type line struct {
	conn net.Conn
	in   *bufio.Scanner
	mu   sync.Mutex
}

func newLine(c net.Conn) *line {
	in := bufio.NewScanner(c)
	in.Buffer(nil, maxMessage)
	return &line{conn: c, in: in}
}

func (l *line) send(m message) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return errs.Wrap(err, errs.Invalid, "door-message", "A message to the other end could not be written.")
	}
	if len(raw) >= maxMessage {
		return errs.New(errs.TooLarge, "door-too-large", "What was given is too large for a running server: stop it and run the command again.")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = l.conn.Write(append(raw, '\n'))
	return err
}

// receive gives the next message; io.EOF when the other end is gone.
func (l *line) receive() (m message, err error) {
	if !l.in.Scan() {
		return m, errors.Join(io.EOF, l.in.Err())
	}
	if err := json.Unmarshal(l.in.Bytes(), &m); err != nil {
		return m, errs.Wrap(err, errs.Invalid, "door-message", "The other end does not speak as this program does.")
	}
	return m, nil
}
