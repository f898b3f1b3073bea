package pkcs11

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/errs"
)

// PINVariable is the environment variable that holds the PIN when no file does.
const PINVariable = "PKCS11_PIN"

// Config says which keys of which token are used. A process works with one
// Provider at a time: one that starts the library anew ends the sessions of others.
type Config struct {
	// Module is the absolute path of the HSM's PKCS#11 library.
	Module string
	// Token is the label of the token. Slot is used where it is empty.
	Token string
	Slot  uint
	// Object begins the labels of the keys, so that several installations may
	// share a token.
	Object string
	// PINFile holds the user PIN; it is read at each log-in. PIN is used where
	// it is empty.
	PINFile, PIN string
	// Create makes the first key when the token has none and one is needed.
	Create bool
	Clock  clock.Clock
}

const defaultObject = "mandate"

var objectName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,32}$`)

// ParsePlace reads what follows "pkcs11:" in a PKCS#11 URI (RFC 7512):
// token=LABEL?module-path=PATH&pin-source=FILE, with slot-id=N in place of the
// token, and object=NAME. Errors: errs.Invalid (pkcs11-place); none quotes the
// place, in which a PIN may stand by mistake.
func ParsePlace(place string) (Config, error) {
	refuse := func(why string) (Config, error) {
		return Config{}, errs.New(errs.Invalid, "pkcs11-place",
			"pkcs11: needs token=LABEL?module-path=PATH&pin-source=FILE; "+why+".")
	}
	given, why := attributes(place)
	if why != "" {
		return refuse(why)
	}
	cfg := Config{
		Module: given["module-path"], Token: given["token"], Object: given["object"],
		PINFile: strings.TrimPrefix(given["pin-source"], "file:"),
	}
	if cfg.Object == "" {
		cfg.Object = defaultObject
	}
	slot, bySlot := given["slot-id"]
	n, err := strconv.ParseUint(slot, 10, 32)
	cfg.Slot = uint(n)
	switch {
	case bySlot == (cfg.Token != ""):
		return refuse("either token or slot-id says which token")
	case bySlot && err != nil:
		return refuse("slot-id is a number")
	case !filepath.IsAbs(cfg.Module):
		return refuse("module-path is the absolute path of the HSM's library")
	case cfg.PINFile != "" && !filepath.IsAbs(cfg.PINFile):
		return refuse("pin-source is the absolute path of a file")
	case !objectName.MatchString(cfg.Object):
		return refuse("object takes up to 32 letters, digits, dots, dashes and underscores")
	}
	return cfg, nil
}

// attributes splits a URI, or says why it cannot.
func attributes(place string) (given map[string]string, why string) {
	given = map[string]string{}
	path, query, _ := strings.Cut(place, "?")
	parts := strings.Split(path, ";")
	if query != "" {
		parts = append(parts, strings.Split(query, "&")...)
	}
	for _, part := range parts {
		name, raw, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(raw)
		if !ok || err != nil {
			return nil, "each part is NAME=VALUE, with % before the two digits of a special character"
		}
		switch name {
		case "token", "slot-id", "object", "module-path", "pin-source":
		case "pin-value":
			return nil, "a PIN here is seen by everybody on this machine: put it into a file and name that with pin-source, or into " + PINVariable
		default:
			return nil, "it takes token, slot-id, object, module-path and pin-source only"
		}
		if _, twice := given[name]; twice {
			return nil, name + " is given twice"
		}
		given[name] = value
	}
	return given, ""
}
