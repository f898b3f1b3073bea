package keys

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// SubjectIndex is the key of the blind indexes: no FHIR id begins with a number
// sign.
const SubjectIndex = "#index"

// TenantKey is one version of a tenant's key, which encrypts its data keys.
type TenantKey struct {
	Tenant  string
	Version int
	// KEK and Wrapped are the key as the provider wrapped it; Wrapped is
	// empty once it was destroyed.
	KEK     string
	Wrapped []byte
	Created time.Time
	// Active is from when on it wraps: later than Created, so that all
	// nodes know it by then.
	Active time.Time
	// Destroy is when it is to be destroyed, Destroyed when it was; zero for
	// never.
	Destroy   time.Time
	Destroyed time.Time
}

// DataKey is one version of the key of a subject: a patient, the tenant itself
// (empty subject), or a reserved one.
type DataKey struct {
	Tenant  string
	Subject string
	Version int
	// Parent is the version of the tenant key that wraps it; Wrapped is empty
	// once it was destroyed.
	Parent  int
	Wrapped []byte
	Created time.Time
	// Active is from when on it encrypts; Retired from when on it only
	// decrypts.
	Active    time.Time
	Retired   time.Time
	Destroy   time.Time
	Destroyed time.Time
}

// dataKey is a data key made ready.
type dataKey struct {
	row  DataKey
	aead cipher.AEAD // nil when it was destroyed
	mac  []byte      // the key of reserved subjects, which hash
	// Nonces count up from a random start of 96 bits. Two processes that use
	// one key meet with a chance of 2N/2^96 after N values each, where random
	// nonces would be spent after 2^32 values.
	high [4]byte
	low  atomic.Uint64
}

// context is what a wrapped data key is bound to.
func (k DataKey) context() []byte {
	return []byte("data-key/" + strconv.Quote(k.Tenant) + "/" + strconv.Quote(k.Subject) + "/" + strconv.Itoa(k.Version))
}

// context is what a wrapped tenant key is bound to.
func (k TenantKey) context() []byte {
	return []byte("tenant-key/" + strconv.Quote(k.Tenant) + "/" + strconv.Itoa(k.Version))
}

// wrapWith encrypts a data key under a tenant key.
func wrapWith(parent cipher.AEAD, k DataKey, plain []byte) []byte {
	return box(parent, plain, k.context())
}

func unwrapWith(parent cipher.AEAD, k DataKey) ([]byte, error) {
	plain, err := unbox(parent, k.Wrapped, k.context())
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "data-key-unreadable", "A stored data key was changed or belongs elsewhere.")
	}
	return plain, nil
}

// ready makes a data key usable.
func (k DataKey) ready(plain []byte) (*dataKey, error) {
	a, err := newAEAD(plain)
	if err != nil {
		return nil, err
	}
	out := &dataKey{row: k, aead: a, mac: plain}
	start := Random(12)
	copy(out.high[:], start)
	out.low.Store(binary.BigEndian.Uint64(start[4:]))
	return out, nil
}

const nonceSize = 12

// seal encrypts for the place, in one allocation.
func (k *dataKey) seal(p Place, plain []byte) Sealed {
	size := 1 + binary.MaxVarintLen32 + nonceSize + len(plain) + k.aead.Overhead()
	buf := make([]byte, 0, size+p.boundSize())
	bound := p.bound(buf[size:size])
	out := append(buf[:0:size], SchemeAES)
	out = binary.AppendUvarint(out, uint64(k.row.Version))
	at := len(out)
	out = append(out, k.high[:]...)
	out = binary.BigEndian.AppendUint64(out, k.low.Add(1))
	return k.aead.Seal(out, out[at:], plain, bound)
}

// open decrypts what seal gave; body begins with the nonce.
func (k *dataKey) open(p Place, body []byte) ([]byte, error) {
	buf := make([]byte, 0, len(body)+p.boundSize())
	bound := p.bound(buf[len(body):len(body)])
	plain, err := k.aead.Open(buf[:0:len(body)], body[:nonceSize], body[nonceSize:], bound)
	if err != nil {
		return nil, errSealed(err)
	}
	return plain, nil
}

// version reads the head of a sealed value.
func (s Sealed) version() (version int, body []byte, err error) {
	if len(s) == 0 || s[0] != SchemeAES {
		return 0, nil, errSealed(nil)
	}
	v, n := binary.Uvarint(s[1:])
	if n <= 0 || v > 1<<31 || len(s) < 1+n+nonceSize {
		return 0, nil, errSealed(nil)
	}
	return int(v), s[1+n:], nil
}

func (p Place) boundSize() int {
	return 20 + len(p.Tenant) + len(p.Table) + len(p.Column) + len(p.Row) + len(p.Subject)
}

// bound appends the place, each part behind its length so that no two places
// give the same bytes.
func (p Place) bound(b []byte) []byte {
	for _, part := range [...]string{p.Tenant, p.Table, p.Column, p.Row, p.Subject} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	return b
}

// blindMark begins a blind index; it is followed by the version of its key.
const blindMark = "#"

// blind gives the keyed form of a value for the table and column.
func (k *dataKey) blind(p Place, value string) string {
	m := hmac.New(sha256.New, k.mac)
	m.Write(Place{Tenant: p.Tenant, Table: p.Table, Column: p.Column}.bound(nil))
	m.Write([]byte(value))
	return blindMark + strconv.Itoa(k.row.Version) + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func errSealed(cause error) error {
	return errs.Wrap(cause, errs.Internal, "sealed-unreadable", "A stored value was changed or belongs to another place.")
}

func errErased() error {
	return errs.New(errs.Gone, "erased", "This was erased for good: its encryption key was destroyed.")
}
