package backup

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
)

// WriterKey belongs on the servers: it makes backups and signs the revocation
// journal. It cannot read a backup.
type WriterKey struct {
	ID string `json:"id"`
	// Seal is the public half of the key that opens backups.
	Seal []byte `json:"seal"`
	// Sign is the seed of the Ed25519 key that signs them.
	Sign []byte `json:"sign"`
	// Evidence is the public key under which restore drills are signed.
	Evidence []byte `json:"evidence"`
}

// ReaderKey belongs where no server and no backup is: it opens backups, checks
// who wrote them, and signs the evidence of restore drills.
type ReaderKey struct {
	ID string `json:"id"`
	// Open is the private half of the key that opens backups.
	Open []byte `json:"open"`
	// Writer is the public key of the backups' signature.
	Writer []byte `json:"writer"`
	// Sign is the seed of the Ed25519 key that signs evidence.
	Sign []byte `json:"sign"`
}

func kem() hpke.KEM { return hpke.MLKEM768X25519() }

// NewKeys makes a pair of keys. Errors: errs.Internal.
func NewKeys(src ids.Source) (WriterKey, ReaderKey, error) {
	private, err := kem().DeriveKeyPair(src.Bytes(32))
	if err != nil {
		return WriterKey{}, ReaderKey{}, errKey(err)
	}
	secret, err := private.Bytes()
	if err != nil {
		return WriterKey{}, ReaderKey{}, errKey(err)
	}
	w := WriterKey{ID: src.ID(), Seal: private.PublicKey().Bytes(), Sign: src.Bytes(ed25519.SeedSize)}
	r := ReaderKey{ID: w.ID, Open: secret, Sign: src.Bytes(ed25519.SeedSize)}
	r.Writer = public(w.Sign)
	w.Evidence = public(r.Sign)
	return w, r, nil
}

func errKey(cause error) error {
	return errs.Wrap(cause, errs.Internal, "backup-key-generation", "A backup key could not be made.")
}

// public gives the public key of a seed.
func public(seed []byte) []byte {
	key, _ := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
	return key
}

// Signer gives the key that signs backups and the journal.
func (k WriterKey) Signer() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.Sign) }

// Verifier gives the key that checks them.
func (k WriterKey) Verifier() ed25519.PublicKey { return public(k.Sign) }

// Verifier gives the key that checks backups and the journal.
func (k ReaderKey) Verifier() ed25519.PublicKey { return k.Writer }

// keyFile is a key as it lies in a file.
type keyFile struct {
	Writer *WriterKey `json:"mandate_backup_writer_key,omitempty"`
	Reader *ReaderKey `json:"mandate_backup_reader_key,omitempty"`
}

// SaveWriter and SaveReader write a key to a new file that only its owner
// reads. Errors: errs.Conflict when there is one; errs.Unavailable.
func SaveWriter(path string, k WriterKey) error { return saveKey(path, keyFile{Writer: &k}) }

// SaveReader is described with SaveWriter.
func SaveReader(path string, k ReaderKey) error { return saveKey(path, keyFile{Reader: &k}) }

func saveKey(path string, k keyFile) error {
	text, err := json.MarshalIndent(k, "", "  ")
	if err != nil {
		return errKey(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if os.IsExist(err) {
		return errs.Wrap(err, errs.Conflict, "backup-key-exists", fmt.Sprintf("There is a file %s already; a key is never overwritten.", path))
	}
	if err == nil {
		_, err = f.Write(append(text, '\n'))
		if e := f.Sync(); err == nil {
			err = e
		}
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "backup-key-unwritable", fmt.Sprintf("The key file %s cannot be written: check the folder and its permissions.", path))
	}
	return nil
}

// LoadWriter reads the key of the servers. Errors: errs.Invalid with a sentence
// about the file.
func LoadWriter(path string) (WriterKey, error) {
	k, err := loadKey(path)
	if err != nil {
		return WriterKey{}, err
	}
	if k.Writer == nil || len(k.Writer.Sign) != ed25519.SeedSize || len(k.Writer.Evidence) != ed25519.PublicKeySize {
		return WriterKey{}, errs.New(errs.Invalid, "backup-key-kind", fmt.Sprintf(
			"%s is not a writer key. The reader key stays away from servers; give the writer key of the pair.", path))
	}
	return *k.Writer, nil
}

// LoadReader reads the key that opens backups. Errors: errs.Invalid.
func LoadReader(path string) (ReaderKey, error) {
	k, err := loadKey(path)
	if err != nil {
		return ReaderKey{}, err
	}
	if k.Reader == nil || len(k.Reader.Sign) != ed25519.SeedSize || len(k.Reader.Writer) != ed25519.PublicKeySize {
		return ReaderKey{}, errs.New(errs.Invalid, "backup-key-kind", fmt.Sprintf(
			"%s is not a reader key. A backup is opened with the reader key of the pair, which is kept apart.", path))
	}
	return *k.Reader, nil
}

func loadKey(path string) (keyFile, error) {
	var k keyFile
	f, err := os.Open(path)
	if err != nil {
		return k, errs.Wrap(err, errs.Invalid, "backup-key-unreadable", fmt.Sprintf("The key file %s cannot be read.", path))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		return k, errs.Wrap(err, errs.Invalid, "backup-key-exposed", fmt.Sprintf(
			"The key file %s can be read by others: chmod 0400 it, and think of who may have read it.", path))
	}
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err != nil {
		return k, errs.Wrap(err, errs.Invalid, "backup-key-unreadable", fmt.Sprintf("The key file %s does not hold a backup key; make a pair with: mandate backup keygen.", path))
	}
	return k, nil
}
