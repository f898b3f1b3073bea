package telemetry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"

	"github.com/mandate-health/mandate/internal/errs"
)

// LogConfig is the settings of the log.
type LogConfig struct {
	Level  string `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: debug, info, warn or error."`
	Format string `name:"log-format" default:"text" enum:"text,json" help:"Form of the log: text or json."`
	// Identifiers says how ids of people, patients, clients and addresses are
	// shown.
	Identifiers string `name:"log-identifiers" default:"hash" enum:"hash,plain,drop" help:"How ids of people, clients and network addresses are shown: as a short hash, as they are, or not at all."`
	// Requests says which requests leave a line of their own.
	Requests string `name:"log-requests" default:"failed" enum:"none,failed,all" help:"Which requests leave a line: none, failed (status 500 and above, or slower than a second), all (costs some 5 microseconds each)."`
}

// Class says what a value of the log may show.
type Class int

// The classes. What has none is not shown.
const (
	_ Class = iota
	// Open values are shown, after what looks like a secret was taken out.
	Open
	// Identifier values are shown as the settings say.
	Identifier
	// Fault values are errors: shown as kind, code and sentence, and their
	// causes only as far as those are known to hold no data.
	Fault
)

// withheld stands in place of what must not be shown.
const withheld = "[withheld]"

// NewLogger gives a logger that writes to w and shows only what its class
// allows. The zero value of cfg takes the defaults.
func NewLogger(w io.Writer, cfg LogConfig) *slog.Logger {
	level := slog.LevelInfo
	if cfg.Level != "" {
		// Validated by its enum; an unknown one stays info.
		_ = level.UnmarshalText([]byte(cfg.Level))
	}
	o := &slog.HandlerOptions{Level: level}
	var inner slog.Handler = slog.NewTextHandler(w, o)
	if cfg.Format == "json" {
		inner = slog.NewJSONHandler(w, o)
	}
	return slog.New(&handler{inner: inner, identifiers: cfg.Identifiers})
}

// handler takes out of each record what must not be shown.
type handler struct {
	inner       slog.Handler
	identifiers string
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(ctx context.Context, l slog.Level) bool { return h.inner.Enabled(ctx, l) }

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	clean := slog.NewRecord(r.Time, r.Level, scrub(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		clean.AddAttrs(h.clean(a))
		return true
	})
	return h.inner.Handle(ctx, clean)
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = h.clean(a)
	}
	return &handler{h.inner.WithAttrs(out), h.identifiers}
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.inner.WithGroup(name), h.identifiers}
}

func (h *handler) clean(a slog.Attr) slog.Attr {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		var in []slog.Attr
		for _, b := range v.Group() {
			in = append(in, h.clean(b))
		}
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(in...)}
	}
	switch ClassOf(a.Key) {
	case Open:
		return slog.Attr{Key: a.Key, Value: open(v)}
	case Identifier:
		return slog.String(a.Key, h.identifier(v.String()))
	case Fault:
		return slog.String(a.Key, fault(v.Any()))
	default:
		return slog.String(a.Key, withheld)
	}
}

// open shows numbers, times and texts; a value of another type could hold
// anything.
func open(v slog.Value) slog.Value {
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(scrub(v.String()))
	case slog.KindAny:
		switch x := v.Any().(type) {
		case []string:
			return slog.StringValue(scrub(strings.Join(x, " ")))
		case error:
			return slog.StringValue(fault(x))
		default:
			return slog.StringValue(withheld)
		}
	default:
		return v
	}
}

// identifier shows an id so that lines about the same one can be joined, and
// nobody is named.
func (h *handler) identifier(id string) string {
	switch {
	case id == "":
		return ""
	case h.identifiers == "plain":
		return scrub(id)
	case h.identifiers == "drop":
		return withheld
	default:
		sum := sha256.Sum256([]byte(id))
		return "#" + hex.EncodeToString(sum[:6])
	}
}

// fault shows an error. Our own say what they are in words without data; of
// foreign ones only those are shown whose text is made of names of files and
// hosts.
func fault(v any) string {
	err, ok := v.(error)
	if !ok {
		if v == nil {
			return "none"
		}
		if text, ok := v.(string); ok {
			return scrub(text)
		}
		return fmt.Sprintf("%s (%T)", withheld, v)
	}
	var own *errs.Error
	if errors.As(err, &own) {
		text := own.Error()
		if own.Cause != nil {
			text += " (" + fault(own.Cause) + ")"
		}
		return scrub(text)
	}
	return scrub(foreign(err))
}

func foreign(err error) string {
	var (
		path    *fs.PathError
		link    *os.LinkError
		number  syscall.Errno
		op      *net.OpError
		dns     *net.DNSError
		runtime runtime.Error
		sql     interface{ SQLState() string }
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return err.Error()
	case errors.As(err, &path):
		return path.Error()
	case errors.As(err, &link):
		return link.Error()
	case errors.As(err, &op):
		return "network " + op.Op + ": " + foreign(op.Err)
	case errors.As(err, &dns):
		return "the name of a host is unknown"
	case errors.As(err, &number):
		return number.Error()
	case errors.As(err, &runtime):
		return runtime.Error()
	case errors.As(err, &sql):
		return "SQLSTATE " + sql.SQLState()
	default:
		return fmt.Sprintf("%s (%T)", withheld, err)
	}
}

// secretish matches what looks like a token, a key, a password in a URL, the
// query of an address, or the address of a client: what should not have been
// handed to the log, and is not shown all the same.
var secretish = regexp.MustCompile(`eyJ[\w-]{8,}(?:\.[\w-]*)*` +
	`|\b[A-Za-z0-9_+/=-]{40,}` +
	`|://[^\s/@:]*:[^\s/@]*@` +
	`|\?[^\s"]*=[^\s"]*` +
	`|\b\d{1,3}(?:\.\d{1,3}){3}:\d{2,5}\b|\[[0-9a-fA-F:]+\]:\d{2,5}` +
	`|[\w.+-]+@[\w-]+\.[\w.]+`)

// pinned are 40 characters and more that are published anyway.
var pinned = regexp.MustCompile(`^sha256/[A-Za-z0-9+/]{43}=$`)

func scrub(text string) string {
	if len(text) < 5 {
		return text
	}
	return secretish.ReplaceAllStringFunc(text, func(found string) string {
		if pinned.MatchString(found) {
			return found
		}
		return withheld
	})
}
