package backup

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// magic is the first line of every backup.
const magic = "mandate-backup/1\n"

const (
	// chunkSize is how much text one chunk holds.
	chunkSize = 256 << 10
	// maxSealed bounds what a reader takes as one chunk.
	maxSealed = chunkSize + 64
	// maxHeader bounds the lines before the chunks.
	maxHeader = 64 << 10
)

// Header is what a backup says about itself without any key.
type Header struct {
	// ID names the backup, random.
	ID string `json:"id"`
	// Taken is the moment whose state it holds, as the server's clock had it.
	Taken time.Time `json:"taken"`
	// Program and Engine made it.
	Program string `json:"program"`
	Engine  string `json:"engine"`
	// Key is the id of the pair of keys.
	Key string `json:"key"`
}

// last marks the end, so that a backup cut between chunks is noticed.
var (
	more = []byte{0}
	last = []byte{1}
)

// info binds the header to the key of the backup.
func info(header []byte) []byte {
	sum := sha256.Sum256(header)
	return append([]byte(magic), sum[:]...)
}

// sealer writes chunks.
type sealer struct {
	out    io.Writer
	sum    hash.Hash
	hpke   *hpke.Sender
	sign   ed25519.PrivateKey
	buffer []byte
}

// newSealer writes the lines before the chunks.
func newSealer(out io.Writer, key WriterKey, h Header) (*sealer, error) {
	to, err := kem().NewPublicKey(key.Seal)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "backup-key-unreadable", "The writer key cannot be used; make a pair with: mandate backup keygen.")
	}
	h.Key = key.ID
	header, err := json.Marshal(h)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "backup-header", "The header of the backup cannot be written.")
	}
	enc, sender, err := hpke.NewSender(to, hpke.HKDFSHA256(), hpke.AES256GCM(), info(header))
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "backup-sealing", "The key of the backup cannot be made.")
	}
	s := &sealer{out: out, sum: sha256.New(), hpke: sender, sign: key.Signer(), buffer: make([]byte, 0, chunkSize)}
	return s, s.put([]byte(magic), header, []byte("\n"), []byte(base64.StdEncoding.EncodeToString(enc)), []byte("\n"))
}

func (s *sealer) put(parts ...[]byte) error {
	for _, p := range parts {
		s.sum.Write(p)
		if _, err := s.out.Write(p); err != nil {
			return errs.Wrap(err, errs.Unavailable, "backup-unwritable", "The backup cannot be written: is the disk full?")
		}
	}
	return nil
}

// Write takes text to seal.
func (s *sealer) Write(p []byte) (int, error) {
	n := len(p)
	for len(s.buffer)+len(p) > chunkSize {
		room := chunkSize - len(s.buffer)
		s.buffer = append(s.buffer, p[:room]...)
		p = p[room:]
		if err := s.chunk(more); err != nil {
			return 0, err
		}
	}
	s.buffer = append(s.buffer, p...)
	return n, nil
}

func (s *sealer) chunk(mark []byte) error {
	sealed, err := s.hpke.Seal(mark, s.buffer)
	if err != nil {
		return errs.Wrap(err, errs.Internal, "backup-sealing", "A part of the backup cannot be sealed.")
	}
	s.buffer = s.buffer[:0]
	return s.put(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed)
}

// Close writes the last chunk and the signature.
func (s *sealer) Close() error {
	if err := s.chunk(last); err != nil {
		return err
	}
	return s.put(ed25519.Sign(s.sign, s.sum.Sum([]byte(magic))))
}

// frames reads a backup chunk by chunk and sums what it read.
type frames struct {
	in     *bufio.Reader
	sum    hash.Hash
	offset int64
	header Header
	line   []byte
	enc    []byte
}

// openFrames reads the lines before the chunks.
func openFrames(in io.Reader) (*frames, error) {
	f := &frames{in: bufio.NewReaderSize(in, maxHeader), sum: sha256.New()}
	first, err := f.readLine()
	if err != nil || string(first) != magic {
		return nil, errs.Wrap(err, errs.Invalid, "backup-not-one", "This is not a backup of Mandate.")
	}
	header, err := f.readLine()
	if err != nil {
		return nil, f.damaged("its header is cut")
	}
	f.line = bytes.TrimSuffix(header, []byte("\n"))
	if err := json.Unmarshal(f.line, &f.header); err != nil {
		return nil, f.damaged("its header cannot be read")
	}
	enc, err := f.readLine()
	if err != nil {
		return nil, f.damaged("its header is cut")
	}
	f.enc, err = base64.StdEncoding.DecodeString(string(bytes.TrimSuffix(enc, []byte("\n"))))
	if err != nil {
		return nil, f.damaged("its key cannot be read")
	}
	return f, nil
}

func (f *frames) readLine() ([]byte, error) {
	line, err := f.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	f.sum.Write(line)
	f.offset += int64(len(line))
	return bytes.Clone(line), nil
}

// next gives the following chunk. The stream of chunks ends at the signature,
// which is told from a chunk by what is left of the file.
func (f *frames) next() (sealed []byte, end bool, err error) {
	left, err := f.in.Peek(ed25519.SignatureSize + 1)
	if errors.Is(err, io.EOF) && len(left) <= ed25519.SignatureSize {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, f.unreadable(err)
	}
	var length [4]byte
	if _, err := io.ReadFull(f.in, length[:]); err != nil {
		return nil, false, f.unreadable(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxSealed {
		return nil, false, f.damaged("a length is impossible")
	}
	sealed = make([]byte, n)
	if _, err := io.ReadFull(f.in, sealed); err != nil {
		return nil, false, f.unreadable(err)
	}
	f.sum.Write(length[:])
	f.sum.Write(sealed)
	f.offset += int64(len(length) + len(sealed))
	return sealed, false, nil
}

// signed checks the signature at the end of the file.
func (f *frames) signed(key ed25519.PublicKey) error {
	signature, err := io.ReadAll(f.in)
	switch {
	case err != nil:
		return f.unreadable(err)
	case len(signature) != ed25519.SignatureSize:
		return f.damaged("it is cut: the signature at its end is missing")
	case !ed25519.Verify(key, f.sum.Sum([]byte(magic)), signature):
		return errs.New(errs.Invalid, "backup-forged", "The signature of the backup does not match: it was changed, or not written with the writer key of this pair.")
	}
	return nil
}

func (f *frames) unreadable(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return f.damaged("it is cut")
	}
	return errs.Wrap(err, errs.Unavailable, "backup-unreadable", fmt.Sprintf("The backup cannot be read at byte %d.", f.offset))
}

func (f *frames) damaged(how string) error {
	return errs.New(errs.Invalid, "backup-damaged", fmt.Sprintf("The backup is damaged at byte %d: %s.", f.offset, how))
}

// opener gives the text of the chunks.
type opener struct {
	frames *frames
	hpke   *hpke.Recipient
	text   []byte
	// ended is true once the last chunk was opened.
	ended bool
	err   error
}

func newOpener(f *frames, key ReaderKey) (*opener, error) {
	if f.header.Key != key.ID {
		return nil, errs.New(errs.Invalid, "backup-key-wrong", fmt.Sprintf(
			"The backup was made for the key %s; this reader key is %s.", f.header.Key, key.ID))
	}
	private, err := kem().NewPrivateKey(key.Open)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "backup-key-unreadable", "The reader key cannot be used.")
	}
	r, err := hpke.NewRecipient(f.enc, private, hpke.HKDFSHA256(), hpke.AES256GCM(), info(f.line))
	if err != nil {
		return nil, f.damaged("its key cannot be opened")
	}
	return &opener{frames: f, hpke: r}, nil
}

// Read gives text, and io.EOF only after the last chunk.
func (o *opener) Read(p []byte) (int, error) {
	for len(o.text) == 0 {
		if o.err == nil {
			o.err = o.advance()
		}
		if o.err != nil {
			return 0, o.err
		}
	}
	n := copy(p, o.text)
	o.text = o.text[n:]
	return n, nil
}

func (o *opener) advance() error {
	if o.ended {
		return io.EOF
	}
	at := o.frames.offset
	sealed, end, err := o.frames.next()
	if err != nil {
		return err
	}
	if end {
		return o.frames.damaged("it is cut: its last part is missing")
	}
	for _, mark := range [][]byte{more, last} {
		if o.text, err = o.hpke.Open(mark, sealed); err == nil {
			o.ended = mark[0] == last[0]
			return nil
		}
	}
	return errs.Wrap(err, errs.Invalid, "backup-damaged", fmt.Sprintf(
		"The backup is damaged between byte %d and byte %d, or the key is a wrong one.", at, o.frames.offset))
}
