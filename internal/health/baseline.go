package health

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/mandate-health/mandate/internal/errs"
)

// baselineLabel keeps the signature from being taken for one over something
// else.
const baselineLabel = "mandate configuration baseline 1\n"

// Baseline is the facts of a configuration as somebody approved them, signed by
// that person's Ed25519 key (SG-07).
type Baseline struct {
	Made  time.Time         `json:"made"`
	Facts map[string]string `json:"facts"`
	// Signature covers the rest, base64.
	Signature string `json:"signature"`
}

// signed gives the bytes under the signature. A map encodes with sorted keys.
func (b Baseline) signed() ([]byte, error) {
	b.Signature = ""
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "baseline-encoding", "The baseline could not be written.")
	}
	return append([]byte(baselineLabel), raw...), nil
}

// SignBaseline makes a baseline of the facts and writes it to a file, with the
// Ed25519 key of a PEM file. Errors: errs.Invalid with code baseline-key or
// baseline-file.
func SignBaseline(path, keyFile string, facts map[string]string, now time.Time) error {
	key, err := signingKey(keyFile)
	if err != nil {
		return err
	}
	b := Baseline{Made: now.UTC().Truncate(time.Second), Facts: facts}
	text, err := b.signed()
	if err != nil {
		return err
	}
	b.Signature = base64.StdEncoding.EncodeToString(ed25519.Sign(key, text))
	raw, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return errs.Wrap(err, errs.Internal, "baseline-encoding", "The baseline could not be written.")
	}
	if err := os.WriteFile(path, append(raw, '\n'), 0o600); err != nil {
		return errs.Wrap(err, errs.Invalid, "baseline-file", "The baseline cannot be written to "+path+".")
	}
	return nil
}

// ReadBaseline reads a baseline and checks its signature by the public (or
// private) key of a PEM file. Errors: errs.Invalid with code baseline-key or
// baseline-file; errs.Forbidden with code baseline-signature when somebody
// changed it.
func ReadBaseline(path, keyFile string) (Baseline, error) {
	var b Baseline
	key, err := verifyingKey(keyFile)
	if err != nil {
		return b, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return b, errs.Wrap(err, errs.Invalid, "baseline-file", "The baseline "+path+" cannot be read.")
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		return b, errs.Wrap(err, errs.Invalid, "baseline-file", "The file "+path+" holds no baseline.")
	}
	text, err := b.signed()
	if err != nil {
		return b, err
	}
	signature, err := base64.StdEncoding.DecodeString(b.Signature)
	if err != nil || !ed25519.Verify(key, text, signature) {
		return b, errs.New(errs.Forbidden, "baseline-signature", "The signature of the baseline "+path+" does not hold: the file was changed, or signed by another key.")
	}
	return b, nil
}

// Drift compares the facts with the baseline: one result for each that differs,
// all failing, none when nothing does.
func (b Baseline) Drift(facts map[string]string) []Result {
	var out []Result
	keys := slices.Collect(maps.Keys(b.Facts))
	for key := range facts {
		if _, known := b.Facts[key]; !known {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		was, before := b.Facts[key]
		is, now := facts[key]
		var text string
		switch {
		case !now:
			text = fmt.Sprintf("was %s, is no fact any more", was)
		case !before:
			text = fmt.Sprintf("is %s, which the baseline does not know", is)
		case was != is:
			text = fmt.Sprintf("was %s, is %s", was, is)
		default:
			continue
		}
		out = append(out, Result{
			ID: "drift:" + key, Looks: "the approved configuration of " + b.Made.Format(time.RFC3339), Severity: Failing, Finding: text,
			Remedy: "undo the change, or approve it: mandate doctor baseline",
		})
	}
	return out
}

func signingKey(path string) (ed25519.PrivateKey, error) {
	block, err := keyBlock(path)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		if key, ok := key.(ed25519.PrivateKey); ok {
			return key, nil
		}
	}
	return nil, errKey(path, "private")
}

func verifyingKey(path string) (ed25519.PublicKey, error) {
	block, err := keyBlock(path)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		if key, ok := key.(ed25519.PublicKey); ok {
			return key, nil
		}
	}
	if private, err := signingKey(path); err == nil {
		if key, ok := private.Public().(ed25519.PublicKey); ok {
			return key, nil
		}
	}
	return nil, errKey(path, "public")
}

func keyBlock(path string) (*pem.Block, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "baseline-key", "The key file "+path+" cannot be read.")
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, errs.New(errs.Invalid, "baseline-key", "The file "+path+" is not PEM.")
	}
	return block, nil
}

func errKey(path, half string) error {
	return errs.New(errs.Invalid, "baseline-key", "The file "+path+" holds no Ed25519 "+half+" key. Make one with: openssl genpkey -algorithm ed25519")
}
