package local

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
)

// split says how many shares a boxed file asks for.
type split struct {
	// Set tells the shares of one splitting from those of another.
	Set       string `json:"set"`
	Shares    int    `json:"shares"`
	Threshold int    `json:"threshold"`
}

// Share is one custodian's part of the unseal key. Its text form is one line.
type Share struct {
	set       string
	threshold int
	point     byte
	value     []byte
}

const sharePrefix = "mandate-share-1"

// String gives the line to keep: prefix, set, threshold, point, value, check.
func (s Share) String() string {
	body := fmt.Sprintf("%s:%s:%d:%d:%s", sharePrefix, s.set, s.threshold, s.point, encode(s.value))
	return body + ":" + check(body)
}

func check(body string) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE([]byte(body))) }

// ParseShare reads a line. Errors: errs.Invalid (share-unreadable).
func ParseShare(line string) (Share, error) {
	line = strings.TrimSpace(line)
	refuse := func(why string) (Share, error) {
		return Share{}, errs.New(errs.Invalid, "share-unreadable", "This is not a share of a key file: "+why+".")
	}
	at := strings.LastIndexByte(line, ':')
	parts := strings.Split(line, ":")
	if len(parts) != 6 || parts[0] != sharePrefix {
		return refuse("a share is one line that begins with " + sharePrefix)
	}
	if check(line[:at]) != parts[5] {
		return refuse("a character is wrong or missing")
	}
	threshold, err1 := strconv.Atoi(parts[2])
	point, err2 := strconv.ParseUint(parts[3], 10, 8)
	value, err3 := base64.RawURLEncoding.DecodeString(parts[4])
	if err1 != nil || err2 != nil || err3 != nil || point == 0 || len(value) != keySize {
		return refuse("its parts have no meaning")
	}
	return Share{set: parts[1], threshold: threshold, point: byte(point), value: value}, nil
}

// unsealKey joins the shares of this split.
func (s *split) unsealKey(path string, given []Share) ([]byte, error) {
	var points []byte
	var values [][]byte
	for _, g := range given {
		if g.set != s.Set {
			return nil, errs.New(errs.Unauthenticated, "shares-wrong",
				"A share belongs to another key file, or to an earlier splitting of this one.")
		}
		if strings.IndexByte(string(points), g.point) < 0 {
			points, values = append(points, g.point), append(values, g.value)
		}
	}
	if len(points) < s.Threshold {
		return nil, errs.New(errs.Unauthenticated, "keys-sealed", fmt.Sprintf(
			"The key file %s is split: it opens with %d of %d shares, and %d different ones were given.",
			path, s.Threshold, s.Shares, len(points)))
	}
	return combine(points[:s.Threshold], values[:s.Threshold]), nil
}

// Split boxes the file under a new unseal key and gives its shares, any
// threshold of which open it from now on. Shares of an earlier splitting lose
// their use. keep puts the shares in a safe place before the file is boxed: when
// it fails the file stays as it is. Errors: errs.Invalid (split-numbers) unless
// 2 ≤ threshold ≤ shares ≤ 255; those of keep; errs.Unavailable.
func (p *Provider) Split(shares, threshold int, keep func([]Share) error) ([]Share, error) {
	if threshold < 2 || threshold > shares || shares > 255 {
		return nil, errs.New(errs.Invalid, "split-numbers",
			"The threshold must be at least 2 and at most the number of shares, which is at most 255.")
	}
	unseal := keys.Random(keySize)
	s := &split{Set: hex.EncodeToString(keys.Random(4)), Shares: shares, Threshold: threshold}
	var out []Share
	for i, v := range divide(unseal, shares, threshold) {
		out = append(out, Share{set: s.Set, threshold: threshold, point: byte(i + 1), value: v})
	}
	err := change(p.cfg.Path, func(old *file) (*file, error) {
		all, err := p.inside(old)
		if err == nil {
			err = keep(out)
		}
		if err != nil {
			return nil, err
		}
		return seal(all, unseal, s)
	})
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.unseal = unseal
	p.mu.Unlock()
	return out, nil
}
