package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mandate-health/mandate/internal/clock"
	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/kms"
	"github.com/mandate-health/mandate/internal/keys/local"
	"github.com/mandate-health/mandate/internal/keys/pkcs11"
)

// KeySettings say where the key-encryption keys are (SE-04). All else is
// encrypted under them and lies in the store.
type KeySettings struct {
	// Keys is KIND:PLACE, one of keyProviders; empty means a file beside the
	// data folder.
	Keys string `name:"keys" help:"Where key-encryption keys are: file:PATH (left out: a file beside the data folder; with a database it must be named), vault:https://HOST:8200/MOUNT/KEY?token_file=PATH, awskms:KEY?region=NAME or pkcs11:token=LABEL?module-path=PATH&pin-source=FILE." placeholder:"KIND:PLACE"`
	// SigningKeys says where new signing keys are made.
	SigningKeys string `name:"signing-keys" key:"signing_keys" default:"store" enum:"store,hsm" help:"Where signing keys are made and sign: store (wrapped under the key-encryption key) or hsm (inside the HSM of --keys pkcs11:)." placeholder:"store|hsm"`
	// AcceptFileKeys allows a key file outside of development.
	AcceptFileKeys bool `name:"accept-file-keys" help:"Serve with key-encryption keys in a file. Whoever copies this machine's disk can then read everything."`
	// UnsealShares are files with shares of a split key file.
	UnsealShares []string `name:"unseal-share" key:"unseal_shares" help:"File with one share of a split key file; repeat it until there are enough." placeholder:"FILE" type:"existingfile"`
	// Unseal asks for shares on standard input.
	Unseal bool `name:"unseal" help:"Ask for shares of a split key file on standard input, one line each."`
}

// keyPlace is what a provider is opened from.
type keyPlace struct {
	// place is what stands behind "KIND:".
	place string
	// create allows a key file or a token to get its first key.
	create   bool
	settings KeySettings
	clock    clock.Clock
	in       io.Reader
	out      io.Writer
}

// keyProvider is one kind of key provider; the one place to add another.
type keyProvider struct {
	kind string
	// file says that the keys lie where the store may lie too.
	file bool
	// check judges a place without asking anybody.
	check func(place string) error
	open  func(ctx context.Context, p keyPlace) (keys.Provider, error)
}

func keyProviders() []keyProvider {
	return []keyProvider{
		{"file", true, func(string) error { return nil }, openKeyFile},
		{"vault", false, checkVault, openVault},
		{"awskms", false, checkAWS, openAWS},
		{"pkcs11", false, checkHSM, openHSM},
	}
}

// provider gives the kind of provider that the settings name, and its place.
func (c *Config) provider() (keyProvider, string, error) {
	text := c.Keys
	if text == "" {
		text = "file:" + c.keyFile()
	}
	kind, place, _ := strings.Cut(text, ":")
	var known []string
	for _, p := range keyProviders() {
		if p.kind == kind && place != "" {
			return p, place, nil
		}
		known = append(known, p.kind+":")
	}
	return keyProvider{}, "", errs.New(errs.Invalid, "keys-unknown",
		fmt.Sprintf("%q does not begin with one of %s", text, strings.Join(known, ", ")))
}

// validateKeys asks for more than a file outside of development.
func (c *Config) validateKeys(f *config.Faults) {
	p, place, err := c.provider()
	if err == nil {
		err = p.check(place)
	}
	switch {
	case err != nil:
		f.Add("keys", "%s", errs.As(err).Msg)
	case c.SigningKeys == signingHSM && pkcs11.Built() != nil:
		f.Add("signing_keys", "%s", errs.As(pkcs11.Built()).Msg)
	case c.SigningKeys == signingHSM && p.kind != "pkcs11":
		f.Add("signing_keys", "%s", signingElsewhere)
	case c.Database != "" && c.Keys == "" && !c.Dev:
		f.Add("keys", "%s", keysUnnamed)
	case p.file && !c.Dev && !c.AcceptFileKeys:
		f.Add("keys", "keys in a file are for development: name a key service or an HSM (see docs/operations/keys.md), or accept with accept_file_keys that whoever copies this machine's disk can read everything")
	}
}

// signingHSM is the setting of who has signing keys made in the HSM.
const signingHSM = "hsm"

const signingElsewhere = "signing keys are made in the HSM only where the key-encryption keys are in it: --keys pkcs11:URI"

// newRing gives the signing keys of a store, in the HSM where the settings ask
// for that. What the HSM holds already is used in any case. Errors: errs.Invalid
// (signing-keys-elsewhere); errs.NotSupported (pkcs11-not-built).
func newRing(st keys.Store, c clock.Clock, provider keys.Provider, s KeySettings) (*keys.Ring, error) {
	module, ok := provider.(keys.Module)
	if s.SigningKeys == signingHSM && !ok {
		if err := pkcs11.Built(); err != nil {
			return nil, err
		}
		return nil, errs.New(errs.Invalid, "signing-keys-elsewhere", "The "+signingElsewhere+".")
	}
	return keys.NewRing(st, c).InModule(module, s.SigningKeys == signingHSM), nil
}

// keysUnnamed is told to who works on a database and does not say where the
// keys are. The default lies beside the data folder, which a database has not:
// it would be another file for each folder that a command is started in.
const keysUnnamed = "with a database, say where the key-encryption keys are, the same for every server and command: a key service, an HSM or file:/ABSOLUTE/PATH (see docs/operations/keys.md)"

// mayMakeKeys refuses to begin a key file by chance: in the folder where a
// command on a database happens to run.
func (c *Config) mayMakeKeys() error {
	if c.Database == "" || c.Keys != "" {
		return nil
	}
	if _, err := os.Stat(c.keyFile()); err == nil {
		return nil // beside a development server
	}
	return errs.New(errs.Invalid, "keys-unnamed", "No keys are named, and there is no "+c.keyFile()+" here: "+keysUnnamed+". --keys does, or the server's --config.")
}

// keyFile is the key file of who names none: beside the data folder and not in
// it, so that a copy of the folder says nothing.
func (c *Config) keyFile() string {
	return strings.TrimRight(c.Data, "/") + "-keys/kek.json"
}

// openKeys opens the key provider of a store. in is asked for shares.
func openKeys(ctx context.Context, cfg Config, c clock.Clock, create bool) (keys.Provider, error) {
	p, place, err := cfg.provider()
	if err != nil {
		return nil, err
	}
	return p.open(ctx, keyPlace{place: place, create: create, settings: cfg.KeySettings, clock: c, in: os.Stdin, out: os.Stderr})
}

func checkVault(place string) error {
	_, err := kms.ParseVault(place)
	return err
}

// openVault opens a key of a Vault transit engine.
func openVault(_ context.Context, p keyPlace) (keys.Provider, error) {
	cfg, err := kms.ParseVault(p.place)
	if err != nil {
		return nil, err
	}
	return kms.NewVault(cfg), nil
}

func checkAWS(place string) error {
	_, err := kms.ParseAWS(place)
	return err
}

// openAWS opens a key of AWS KMS.
func openAWS(ctx context.Context, p keyPlace) (keys.Provider, error) {
	cfg, err := kms.ParseAWS(p.place)
	if err != nil {
		return nil, err
	}
	return provided(kms.NewAWS(ctx, cfg))
}

// checkHSM refuses an HSM in a program that was built without PKCS#11.
func checkHSM(place string) error {
	if err := pkcs11.Built(); err != nil {
		return err
	}
	_, err := pkcs11.ParsePlace(place)
	return err
}

// openHSM opens the keys of a token. A PIN never stands on the command line.
func openHSM(_ context.Context, p keyPlace) (keys.Provider, error) {
	cfg, err := pkcs11.ParsePlace(p.place)
	if err != nil {
		return nil, err
	}
	cfg.PIN, cfg.Create, cfg.Clock = os.Getenv(pkcs11.PINVariable), p.create, p.clock
	return pkcs11.Open(cfg)
}

// openKeyFile opens a key file, with shares when it is split.
func openKeyFile(_ context.Context, p keyPlace) (keys.Provider, error) {
	cfg := local.Config{Path: p.place, Create: p.create, Clock: p.clock}
	for _, path := range p.settings.UnsealShares {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "share-unreadable", "The share "+path+" cannot be read.")
		}
		share, err := local.ParseShare(string(raw))
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "share-unreadable", path+": "+errs.As(err).Msg)
		}
		cfg.Shares = append(cfg.Shares, share)
	}
	opened, err := local.Open(cfg)
	if !p.settings.Unseal {
		return provided(opened, err)
	}
	lines := bufio.NewScanner(p.in)
	for err != nil && errs.As(err).Code == "keys-sealed" {
		fmt.Fprintln(p.out, errs.As(err).Msg+" Enter a share:")
		if !lines.Scan() {
			return nil, err
		}
		share, parsing := local.ParseShare(lines.Text())
		if parsing != nil {
			fmt.Fprintln(p.out, errs.As(parsing).Msg)
			continue
		}
		cfg.Shares = append(cfg.Shares, share)
		opened, err = local.Open(cfg)
	}
	return provided(opened, err)
}

// provided keeps a nil pointer from looking like a provider.
func provided[P keys.Provider](p P, err error) (keys.Provider, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}
