//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	lib "github.com/miekg/pkcs11"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

const (
	// callTimeout bounds one use of the token.
	callTimeout = 10 * time.Second
	// A token may stumble while another process writes to it, or while its
	// network does: what failed is tried again so often, first after firstPause
	// and each time after twice as long.
	// After the attempt called restartAfter the library is started anew.
	attempts     = 6
	restartAfter = 3
	firstPause   = 10 * time.Millisecond
)

// token is the token of a configuration. Its session stays open until a call
// fails; the next call then finds the token again and logs in anew.
type token struct {
	cfg  Config
	lib  *lib.Ctx
	name string
	// turn is held by the one caller at a time: not every library bears more,
	// and keys are wrapped seldom. A call into C cannot be ended; one that does
	// not come back keeps the turn, and all others time out.
	turn chan struct{}

	// All below belongs to who has the turn; session is nil when none is open.
	session *session
	// refused is the digest of the PIN that the token last refused.
	refused [sha256.Size]byte
}

type session struct {
	*token
	handle lib.SessionHandle
}

// load starts the library, once in a process, and looks whether there is a PIN to
// use. A library must not be started by two callers at once.
func load(cfg Config) (*token, error) {
	t := &token{cfg: cfg, name: fmt.Sprintf("%q", cfg.Token), turn: make(chan struct{}, 1)}
	if cfg.Token == "" {
		t.name = fmt.Sprintf("in slot %d", cfg.Slot)
	}
	if cfg.PINFile == "" && cfg.PIN == "" {
		return nil, errs.New(errs.Invalid, "pkcs11-pin-missing",
			"The token "+t.name+" asks for a PIN: name its file with pin-source, or set "+PINVariable+".")
	}
	if t.lib = lib.New(cfg.Module); t.lib == nil {
		return nil, errs.New(errs.Invalid, "pkcs11-module", "The PKCS#11 library "+cfg.Module+" cannot be loaded.")
	}
	if err := t.lib.Initialize(); err != nil && !is(err, lib.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		return nil, t.failed(err, "start")
	}
	return t, nil
}

// use calls fn with a session, in bounded time. Errors: errs.Unavailable, and
// those of fn.
func use[T any](ctx context.Context, t *token, fn func(*session) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var none T
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	late := func() error {
		return errs.Wrap(ctx.Err(), errs.Unavailable, "pkcs11-silent", "The token "+t.name+" does not answer.")
	}
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return none, late()
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-t.turn }()
		var r result
		for pause, n := firstPause, 1; ; pause, n = 2*pause, n+1 {
			r.value, r.err = once(t, fn)
			if n == attempts || !passing(r.err) || !wait(ctx, pause) {
				break
			}
			if n == restartAfter {
				t.restart()
			}
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, late()
	}
}

func once[T any](t *token, fn func(*session) (T, error)) (value T, err error) {
	if t.session == nil {
		if t.session, err = t.open(); err != nil {
			return value, err
		}
	}
	if value, err = fn(t.session); passing(err) {
		_ = t.lib.CloseSession(t.session.handle)
		t.session = nil
	}
	return value, err
}

// restart has the library forget what it believes about the token. If it does
// not start, opening the next session says so.
func (t *token) restart() {
	_ = t.lib.Finalize()
	_ = t.lib.Initialize()
}

// passing tells whether the next attempt may fare better. A library may not have
// heard of a key that another process just made, and some use the same code for a
// tag that does not match and for a fault of their own.
func passing(err error) bool {
	if err == nil {
		return false
	}
	switch errs.As(err).Code {
	case "pkcs11-failed", "pkcs11-token-missing", "kek-unknown", "key-unwrap", "pkcs11-signing-key-missing":
		return true
	}
	return false
}

// wait tells whether ctx outlived the pause.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// open opens a session and logs in.
func (t *token) open() (*session, error) {
	slot, err := t.slot()
	if err != nil {
		return nil, err
	}
	handle, err := t.lib.OpenSession(slot, lib.CKF_SERIAL_SESSION|lib.CKF_RW_SESSION)
	if err != nil {
		return nil, t.failed(err, "open a session")
	}
	if err := t.login(handle); err != nil {
		_ = t.lib.CloseSession(handle)
		return nil, err
	}
	return &session{token: t, handle: handle}, nil
}

// slot finds the token.
func (t *token) slot() (uint, error) {
	slots, err := t.lib.GetSlotList(true)
	if err != nil {
		return 0, t.failed(err, "list its slots")
	}
	var found []uint
	for _, slot := range slots {
		if t.cfg.Token == "" {
			if slot == t.cfg.Slot {
				found = append(found, slot)
			}
			continue
		}
		// A slot whose token was just taken out is none.
		if info, err := t.lib.GetTokenInfo(slot); err == nil && strings.TrimRight(info.Label, " \x00") == t.cfg.Token {
			found = append(found, slot)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, errs.New(errs.Unavailable, "pkcs11-token-missing", "There is no token "+t.name+" behind "+t.cfg.Module+".")
	default:
		return 0, errs.New(errs.Unavailable, "pkcs11-token-ambiguous", fmt.Sprintf(
			"%d tokens behind %s are labelled %s: name one by slot-id.", len(found), t.cfg.Module, t.name))
	}
}

// login logs in as the user. A PIN that was refused is not tried again, because
// a token locks itself after a few wrong ones.
func (t *token) login(handle lib.SessionHandle) error {
	pin, err := t.pin()
	if err != nil {
		return err
	}
	digest := sha256.Sum256([]byte(pin))
	known := digest == t.refused
	if !known {
		err = t.lib.Login(handle, lib.CKU_USER, pin)
	}
	switch {
	case known, is(err, lib.CKR_PIN_INCORRECT), is(err, lib.CKR_PIN_INVALID), is(err, lib.CKR_PIN_LEN_RANGE):
		t.refused = digest
		return errs.Wrap(err, errs.Unavailable, "pkcs11-pin-refused", "The token "+t.name+
			" refuses the PIN. It is not tried again, because a token locks itself after a few wrong ones.")
	case is(err, lib.CKR_PIN_LOCKED), is(err, lib.CKR_PIN_EXPIRED), is(err, lib.CKR_USER_PIN_NOT_INITIALIZED):
		return errs.Wrap(err, errs.Unavailable, "pkcs11-pin-locked", "The user PIN of the token "+t.name+
			" is locked, expired or was never set: its security officer sets a new one.")
	case err == nil, is(err, lib.CKR_USER_ALREADY_LOGGED_IN):
		return nil
	}
	return t.failed(err, "log in")
}

// pin reads the PIN. A last line end is not part of it.
func (t *token) pin() (string, error) {
	if t.cfg.PINFile == "" {
		return t.cfg.PIN, nil
	}
	info, err := os.Stat(t.cfg.PINFile)
	if err == nil && info.Mode().Perm()&0o007 != 0 {
		return "", errs.New(errs.Unavailable, "pkcs11-pin-open", "The file of the PIN, "+t.cfg.PINFile+", is open to everybody; run: chmod o= "+t.cfg.PINFile)
	}
	raw, err := os.ReadFile(t.cfg.PINFile)
	if err != nil {
		return "", errs.Wrap(err, errs.Unavailable, "pkcs11-pin-file", "The file of the PIN, "+t.cfg.PINFile+", cannot be read.")
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

// key is a key-encryption key on the token.
type key struct {
	handle lib.ObjectHandle
	kek    keys.KEK
}

// find gives the keys of an object name, oldest first. The label tells name, id
// and time of making.
func (s *session) find(object string) ([]key, error) {
	handles, err := s.secrets()
	if err != nil {
		return nil, s.failed(err, "list its keys")
	}
	var out []key
	for _, h := range handles {
		got, err := s.lib.GetAttributeValue(s.handle, h, []*lib.Attribute{lib.NewAttribute(lib.CKA_LABEL, nil)})
		if err != nil {
			return nil, s.failed(err, "describe a key")
		}
		parts := strings.Fields(string(got[0].Value))
		if len(parts) != 3 || parts[0] != object {
			continue
		}
		made, err := time.Parse(time.RFC3339Nano, parts[2])
		if err != nil {
			continue
		}
		k := key{h, keys.KEK{ID: parts[1], Created: made}}
		if err := s.kept(k); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b key) int {
		return strings.Compare(sortable(a.kek), sortable(b.kek))
	})
	return out, nil
}

func sortable(k keys.KEK) string { return fmt.Sprintf("%020d %s", k.Created.UnixNano(), k.ID) }

func (s *session) secrets() (out []lib.ObjectHandle, err error) {
	return s.list([]*lib.Attribute{
		lib.NewAttribute(lib.CKA_CLASS, lib.CKO_SECRET_KEY),
		lib.NewAttribute(lib.CKA_KEY_TYPE, lib.CKK_AES),
		lib.NewAttribute(lib.CKA_TOKEN, true),
	})
}

// list gives the objects of some attributes.
func (s *session) list(like []*lib.Attribute) (out []lib.ObjectHandle, err error) {
	if err = s.lib.FindObjectsInit(s.handle, like); err != nil {
		return nil, err
	}
	for {
		some, _, err := s.lib.FindObjects(s.handle, 100)
		if err != nil || len(some) == 0 {
			return out, errors.Join(err, s.lib.FindObjectsFinal(s.handle))
		}
		out = append(out, some...)
	}
}

// kept refuses a key that can leave the token: it was not made by generate.
func (s *session) kept(k key) error { return s.stays(k.handle, k.kek.ID) }

// stays refuses an object that can leave the token.
func (s *session) stays(object lib.ObjectHandle, id string) error {
	got, err := s.lib.GetAttributeValue(s.handle, object, []*lib.Attribute{
		lib.NewAttribute(lib.CKA_SENSITIVE, nil), lib.NewAttribute(lib.CKA_EXTRACTABLE, nil),
	})
	if err != nil {
		return s.failed(err, "describe a key")
	}
	if !slices.Equal(got[0].Value, []byte{1}) || !slices.Equal(got[1].Value, []byte{0}) {
		return errs.New(errs.Unavailable, "pkcs11-key-extractable", "The key "+id+" of the token "+s.name+
			" may be taken out of it, so it was not made by Mandate. Remove it or give it another label.")
	}
	return nil
}

// generate makes an AES-256 key that cannot leave the token and does nothing
// but encrypt and decrypt.
func (s *session) generate(object string, kek keys.KEK) (key, error) {
	label := object + " " + kek.ID + " " + kek.Created.Format(time.RFC3339Nano)
	h, err := s.lib.GenerateKey(s.handle, []*lib.Mechanism{lib.NewMechanism(lib.CKM_AES_KEY_GEN, nil)}, []*lib.Attribute{
		lib.NewAttribute(lib.CKA_CLASS, lib.CKO_SECRET_KEY), lib.NewAttribute(lib.CKA_KEY_TYPE, lib.CKK_AES),
		lib.NewAttribute(lib.CKA_VALUE_LEN, 32), lib.NewAttribute(lib.CKA_LABEL, label), lib.NewAttribute(lib.CKA_ID, []byte(kek.ID)),
		lib.NewAttribute(lib.CKA_TOKEN, true), lib.NewAttribute(lib.CKA_PRIVATE, true),
		lib.NewAttribute(lib.CKA_SENSITIVE, true), lib.NewAttribute(lib.CKA_EXTRACTABLE, false),
		lib.NewAttribute(lib.CKA_ENCRYPT, true), lib.NewAttribute(lib.CKA_DECRYPT, true),
		lib.NewAttribute(lib.CKA_SIGN, false), lib.NewAttribute(lib.CKA_VERIFY, false),
		lib.NewAttribute(lib.CKA_WRAP, false), lib.NewAttribute(lib.CKA_UNWRAP, false), lib.NewAttribute(lib.CKA_DERIVE, false),
	})
	if err != nil {
		return key{}, s.failed(err, "make an AES-256 key")
	}
	return key{h, kek}, nil
}

func is(err error, code lib.Error) bool {
	var got lib.Error
	return errors.As(err, &got) && got == code
}

// lost tells whether the token went away, as opposed to refusing what it was
// given.
func lost(err error) bool {
	return slices.ContainsFunc([]lib.Error{
		lib.CKR_DEVICE_ERROR, lib.CKR_DEVICE_MEMORY, lib.CKR_DEVICE_REMOVED, lib.CKR_TOKEN_NOT_PRESENT, lib.CKR_HOST_MEMORY,
		lib.CKR_SESSION_CLOSED, lib.CKR_SESSION_HANDLE_INVALID, lib.CKR_USER_NOT_LOGGED_IN, lib.CKR_CRYPTOKI_NOT_INITIALIZED,
	}, func(code lib.Error) bool { return is(err, code) })
}

// failed tells what the token did not do, with its own code.
func (t *token) failed(err error, what string) error {
	return errs.Wrap(err, errs.Unavailable, "pkcs11-failed", fmt.Sprintf("The token %s did not %s: %v.", t.name, what, err))
}
