package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"time"

	"github.com/mandate-health/mandate/internal/config"
	"github.com/mandate-health/mandate/internal/errs"
)

// dateLayout is how a day is written in a setting.
const dateLayout = "2006-01-02"

// Config is the settings of the server's own TLS.
type Config struct {
	// CertFile and KeyFile hold the PEM certificate chain and key. Empty
	// leaves TLS to a proxy in front.
	CertFile string `name:"cert" key:"cert_file" help:"PEM file with the certificate chain." placeholder:"FILE" type:"existingfile"`
	KeyFile  string `name:"key" key:"key_file" help:"PEM file with the private key." placeholder:"FILE" type:"existingfile"`
	// Reload is how often the two files are looked at; SIGHUP reads them at
	// once.
	Reload time.Duration `name:"tls-reload" default:"10s" help:"How often the certificate files are looked at for a change; SIGHUP reads them at once."`
	// BackupPins are the pins of keys that lie ready and are used nowhere yet.
	BackupPins []string `name:"tls-backup-pin" key:"backup_pins" help:"Pin (sha256/…) of a key that lies ready to replace the present one; may be repeated. See mandate tls pin." placeholder:"PIN"`
	// NextRotation is the day on which the first backup key takes over.
	NextRotation string `name:"tls-next-rotation" help:"Day on which the first backup key takes over, published with the pins." placeholder:"YYYY-MM-DD"`
}

// Validate reports every fault of the settings.
func (c *Config) Validate() error {
	var f config.Faults
	if (c.CertFile == "") != (c.KeyFile == "") {
		f.Add("cert_file", "cert_file and key_file belong together")
	}
	if c.Reload < 0 {
		f.Add("reload", "a time between two looks cannot be negative")
	}
	for _, pin := range c.BackupPins {
		if !ValidPin(pin) {
			f.Add("backup_pins", "%q is not a pin such as sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", pin)
		}
	}
	if c.NextRotation != "" {
		if _, err := time.Parse(dateLayout, c.NextRotation); err != nil {
			f.Add("next_rotation", "%q is not a day such as 2027-06-30", c.NextRotation)
		}
	}
	return f.Err()
}

// suites are the cipher suites of TLS 1.2: authenticated encryption and an
// ephemeral key exchange, nothing else (SE-09, SE-10). Those of TLS 1.3 are all
// of that kind.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// exchanges are the key exchanges; the hybrid one is preferred.
var exchanges = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}

// Base gives the rules that hold for every connection, in and out.
func Base() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, CipherSuites: suites, CurvePreferences: exchanges}
}

// Client says how a server behind is verified, and how Mandate proves itself
// to it. Empty fields: the authorities of the machine, and no certificate.
type Client struct {
	CAFile, CertFile, KeyFile string
}

// TLS gives the configuration of an outgoing connection. Errors: errs.Invalid
// with code tls-files when a file cannot be read.
func (c Client) TLS() (*tls.Config, error) {
	out := Base()
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "tls-files", "The file of certificate authorities "+c.CAFile+" cannot be read.")
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errs.New(errs.Invalid, "tls-files", "The file "+c.CAFile+" holds no certificate.")
		}
	}
	if c.CertFile != "" {
		cert, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, errs.Wrap(err, errs.Invalid, "tls-files", "The client certificate "+c.CertFile+" or its key cannot be read.")
		}
		out.Certificates = []tls.Certificate{cert}
	}
	return out, nil
}
