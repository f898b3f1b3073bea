package chaos

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Proxy stands between a server and its PostgreSQL and spoils the way.
type Proxy struct {
	// Address is where it listens, as HOST:PORT.
	Address string

	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu     sync.Mutex
	closed bool
	conns  map[net.Conn]bool
	// delay is added to each answer.
	delay time.Duration
	// frozen is closed when answers flow again; nil while they do.
	frozen chan struct{}
	// stopAfter counts answers down to a freeze; 0 does not count.
	stopAfter int
	stopped   chan struct{}
	// drops is how many commits lose their answer, lost how many did.
	drops, lost int
}

// NewProxy listens on loopback before the target. Close it.
func NewProxy(target string) (*Proxy, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Address: l.Addr().String(), listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	return p, nil
}

// Close ends every connection.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Thaw()
	p.Cut()
	p.wg.Wait()
	return err
}

// Cut closes the connections there are; new ones work.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// Delay makes each answer wait; 0 ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Freeze holds back every answer until Thaw.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.freeze()
}

func (p *Proxy) freeze() {
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// FreezeAfter lets so many answers of the server pass, holds back the rest,
// and closes the channel it gives.
func (p *Proxy) FreezeAfter(answers int) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopAfter, p.stopped = answers, make(chan struct{})
	return p.stopped
}

// Thaw lets answers flow.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stopAfter = 0
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// DropCommits makes so many of the next commits lose their answer: the change
// is made, the connection breaks, and nobody is told.
func (p *Proxy) DropCommits(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drops = n
}

// Lost gives the number of commits whose answer was dropped.
func (p *Proxy) Lost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := new(net.Dialer).DialContext(context.Background(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns[client], p.conns[server] = true, true
		closed := p.closed
		p.mu.Unlock()
		end := sync.OnceFunc(func() { p.end(client, server) })
		if closed {
			end()
		}
		p.wg.Go(func() {
			defer end()
			_, _ = io.Copy(server, client) // ends when either side does
		})
		p.wg.Go(func() {
			defer end()
			_ = p.answers(client, server) // ends when either side does
		})
	}
}

func (p *Proxy) end(client, server net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range []net.Conn{client, server} {
		_ = c.Close()
		delete(p.conns, c)
	}
}

// errDropped ends a connection whose answer is lost.
var errDropped = errors.New("chaos: the answer to a commit was dropped")

// answers hands on what the server says, message by message. The answer to a
// statement is held back until it is known whether a transaction ended with it.
func (p *Proxy) answers(client, server net.Conn) error {
	var held []byte
	for {
		message, err := readMessage(server)
		if err != nil {
			return err
		}
		p.wait(message[0] == 'Z')
		switch message[0] {
		case 'C':
			if _, err := client.Write(held); err != nil {
				return err
			}
			held = message
			continue
		case 'Z':
			if len(held) > 0 && message[5] == 'I' && p.drop(held) {
				return errDropped
			}
		}
		if _, err := client.Write(append(held, message...)); err != nil {
			return err
		}
		held = nil
	}
}

// readMessage reads one message of PostgreSQL's protocol: a letter and a
// length that counts itself.
func readMessage(r io.Reader) ([]byte, error) {
	head := make([]byte, 5)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > 1<<28 {
		return nil, errors.New("chaos: not a message of PostgreSQL")
	}
	message := slices.Grow(head, int(n)+1)[:n+1]
	_, err := io.ReadFull(r, message[5:])
	return message, err
}

// drop reports whether this is a commit to lose.
func (p *Proxy) drop(complete []byte) bool {
	tag := strings.TrimSuffix(string(complete[5:]), "\x00")
	word, _, _ := strings.Cut(tag, " ")
	if !slices.Contains([]string{"COMMIT", "INSERT", "UPDATE", "DELETE"}, word) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drops == 0 {
		return false
	}
	p.drops--
	p.lost++
	return true
}

// wait holds a message back as the proxy was told. The last one of an answer
// carries the delay.
func (p *Proxy) wait(last bool) {
	p.mu.Lock()
	if p.stopAfter > 0 {
		if p.stopAfter--; p.stopAfter == 0 {
			p.freeze()
			close(p.stopped)
		}
	}
	delay, frozen := p.delay, p.frozen
	p.mu.Unlock()
	if delay > 0 && last {
		<-time.After(delay)
	}
	if frozen != nil {
		<-frozen
	}
}
