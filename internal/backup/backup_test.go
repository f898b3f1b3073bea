package backup_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/backup"
	"github.com/mandate-health/mandate/internal/backup/bucket"
	"github.com/mandate-health/mandate/internal/errs"
	"github.com/mandate-health/mandate/internal/ids"
	"github.com/mandate-health/mandate/internal/journal"
	"github.com/mandate-health/mandate/internal/testbucket"
)

func noon() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

func keys(t *testing.T) (backup.WriterKey, backup.ReaderKey) {
	t.Helper()
	w, r, err := backup.NewKeys(ids.Source{})
	if err != nil {
		t.Fatal(err)
	}
	return w, r
}

// canary must not be found in a backup.
const canary = "Rosa-Delgado-canary"

func table() backup.Table {
	return backup.Table{Name: "person", Columns: []backup.Column{
		{Name: "id", Kind: backup.Text}, {Name: "n", Kind: backup.Integer}, {Name: "on", Kind: backup.Boolean}, {Name: "raw", Kind: backup.Bytes},
	}}
}

func rows() [][]any {
	return [][]any{
		{"", int64(0), false, []byte{}},
		{canary + "\n<>&\u2028\"", int64(-9223372036854775808), true, []byte{0, 1, 255}},
		{nil, int64(9223372036854775807), nil, nil},
	}
}

// write makes a backup with many rows.
func write(t *testing.T, w backup.WriterKey, many int) []byte {
	t.Helper()
	var out bytes.Buffer
	b, err := backup.NewWriter(&out, w, backup.Header{ID: "0123456789abcdef", Taken: noon(), Program: "test", Engine: "sqlite"})
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(b.Begin(backup.Manifest{Schema: []int64{1, 2}, Journal: []journal.Head{{Segment: "s", Line: 1}}}), b.Table(table()))
	for _, row := range rows() {
		err = errors.Join(err, b.Row(row))
	}
	noise := ids.Source{}
	for i := range many {
		err = errors.Join(err, b.Row([]any{noise.ID(), int64(i), true, noise.Bytes(200)}))
	}
	err = errors.Join(err, b.Table(backup.Table{Name: "empty", Columns: table().Columns}))
	total, e := b.Close()
	if err = errors.Join(err, e); err != nil || total != (backup.Total{Tables: 2, Rows: int64(3 + many)}) {
		t.Fatal(total, err)
	}
	return out.Bytes()
}

// kept is what a backup held.
type kept struct {
	manifest backup.Manifest
	tables   []string
	rows     []string
}

func (k *kept) Begin(m backup.Manifest) error { k.manifest = m; return nil }
func (k *kept) Table(t backup.Table) error    { k.tables = append(k.tables, t.Name); return nil }
func (k *kept) Row(v []any) error             { k.rows = append(k.rows, fmt.Sprintf("%#v", v)); return nil }
func (k *kept) End(int64) error               { return nil }

// SG-08: what comes out is what went in, and nothing of it can be read without
// the reader key.
func TestRoundTrip(t *testing.T) {
	w, r := keys(t)
	raw := write(t, w, 5000)
	var k kept
	h, total, err := backup.Read(bytes.NewReader(raw), r, &k)
	if err != nil || h.Key != w.ID || !h.Taken.Equal(noon()) || total.Rows != 5003 {
		t.Fatal(h, total, err)
	}
	for i, row := range rows() {
		if want := fmt.Sprintf("%#v", row); k.rows[i] != want && !strings.Contains(want, "[]byte{}") && row[3] != nil {
			t.Errorf("row %d: %s, want %s", i, k.rows[i], want)
		}
	}
	if fmt.Sprint(k.tables, k.manifest.Schema) != "[person empty] [1 2]" || k.manifest.Journal[0].Segment != "s" {
		t.Error(k.tables, k.manifest)
	}
	if bytes.Contains(raw, []byte("canary")) || bytes.Contains(raw, []byte("person")) {
		t.Error("the backup shows what it holds")
	}
	if _, err := backup.CheckSignature(bytes.NewReader(raw), w.Verifier()); err != nil {
		t.Error(err)
	}
	if bytes.Equal(raw[600:800], write(t, w, 5000)[600:800]) {
		t.Error("two backups share a key")
	}
}

// Every change and every cut is refused, and told where.
func TestDamage(t *testing.T) {
	w, r := keys(t)
	raw := write(t, w, 2000)
	refused := func(name string, changed []byte) {
		t.Helper()
		_, _, err := backup.Read(bytes.NewReader(changed), r, &kept{})
		e := errs.As(err)
		if err == nil || e.Kind != errs.Invalid {
			t.Fatalf("%s: %v", name, err)
		}
		if e.Code == "backup-damaged" && !strings.Contains(e.Msg, "byte") && !strings.Contains(e.Msg, "damaged:") {
			t.Errorf("%s: does not tell where: %s", name, e.Msg)
		}
		if _, err := backup.CheckSignature(bytes.NewReader(changed), w.Verifier()); err == nil {
			t.Errorf("%s: the signature is right", name)
		}
	}
	for at := 0; at < len(raw); at += 1 + len(raw)/23 {
		changed := bytes.Clone(raw)
		changed[at] ^= 1
		refused(fmt.Sprint("byte ", at), changed)
		refused(fmt.Sprint("cut at ", at), raw[:at])
	}
	refused("a byte more", append(bytes.Clone(raw), 0))
	refused("without its last byte", raw[:len(raw)-1])
	refused("without its signature", raw[:len(raw)-64])
	_, _, err := backup.Read(bytes.NewReader(raw[:len(raw)*2/3]), r, &kept{})
	if e := errs.As(err); err == nil || !strings.Contains(e.Msg, "of table person") {
		t.Errorf("a cut in the rows: %v", err)
	}
}

// Whoever has only what the servers have cannot read, and whoever has the
// public key cannot forge.
func TestKeys(t *testing.T) {
	w, r := keys(t)
	_, other := keys(t)
	raw := write(t, w, 0)
	if _, _, err := backup.Read(bytes.NewReader(raw), other, &kept{}); errs.As(err).Code != "backup-key-wrong" {
		t.Errorf("another pair: %v", err)
	}
	other.ID = r.ID
	if _, _, err := backup.Read(bytes.NewReader(raw), other, &kept{}); !errs.Is(err, errs.Invalid) {
		t.Errorf("another pair under its name: %v", err)
	}
	forger, _ := keys(t)
	forger.ID, forger.Seal = w.ID, w.Seal
	if _, _, err := backup.Read(bytes.NewReader(write(t, forger, 0)), r, &kept{}); errs.As(err).Code != "backup-forged" {
		t.Errorf("a forged backup: %v", err)
	}
	dir := t.TempDir()
	wf, rf := filepath.Join(dir, "w"), filepath.Join(dir, "r")
	if err := errors.Join(backup.SaveWriter(wf, w), backup.SaveReader(rf, r)); err != nil {
		t.Fatal(err)
	}
	if err := backup.SaveWriter(wf, w); !errs.Is(err, errs.Conflict) {
		t.Errorf("a key was overwritten: %v", err)
	}
	if k, err := backup.LoadReader(rf); err != nil || k.ID != r.ID {
		t.Error(err)
	}
	if _, err := backup.LoadReader(wf); errs.As(err).Code != "backup-key-kind" {
		t.Errorf("the writer key reads: %v", err)
	}
	if _, err := backup.LoadWriter(rf); errs.As(err).Code != "backup-key-kind" {
		t.Errorf("the reader key writes: %v", err)
	}
	if err := os.Chmod(rf, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := backup.LoadReader(rf); errs.As(err).Code != "backup-key-exposed" {
		t.Errorf("a key for all eyes: %v", err)
	}
	text, err := backup.SignEvidence(r, map[string]string{"rto": "<3 s>"})
	if err != nil {
		t.Fatal(err)
	}
	if report, err := backup.CheckEvidence(text, w.Evidence); err != nil || !strings.Contains(string(report), "rto") {
		t.Error(err)
	}
	if _, err := backup.CheckEvidence(bytes.Replace(text, []byte("3 s"), []byte("2 s"), 1), w.Evidence); errs.As(err).Code != "evidence-forged" {
		t.Errorf("changed evidence: %v", err)
	}
}

// put writes a backup of a day into a folder.
func put(t *testing.T, f backup.Place, w backup.WriterKey, day int) backup.Kept {
	t.Helper()
	h := backup.Header{ID: fmt.Sprintf("%08d", day), Taken: noon().AddDate(0, 0, day)}
	k, err := f.Put(t.Context(), h, func(out io.Writer) error {
		b, err := backup.NewWriter(out, w, h)
		if err != nil {
			return err
		}
		err = b.Begin(backup.Manifest{})
		_, e := b.Close()
		return errors.Join(err, e)
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// SG-08: nothing is overwritten, what failed leaves nothing, and the last good
// backup never goes.
func TestFolder(t *testing.T) {
	w, _ := keys(t)
	dir := t.TempDir()
	if _, err := backup.OpenFolder(filepath.Join(dir, "x"), false); errs.As(err).Code != "backup-place-missing" {
		t.Error(err)
	}
	f, err := backup.OpenFolder(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	var all []backup.Kept
	for day := range 5 {
		all = append(all, put(t, f, w, day))
	}
	if info, err := os.Stat(all[0].Path); err != nil || info.Mode().Perm() != 0o400 {
		t.Error(info.Mode(), err)
	}
	failed := errors.New("the store went away")
	if _, err := f.Put(t.Context(), all[0].Header, func(io.Writer) error { return nil }); !errs.Is(err, errs.Conflict) {
		t.Errorf("overwritten: %v", err)
	}
	if _, err := f.Put(t.Context(), backup.Header{ID: "99999999"}, func(io.Writer) error { return failed }); !errors.Is(err, failed) {
		t.Error(err)
	}
	if found, err := os.ReadDir(dir); err != nil || len(found) != 5 {
		t.Error("a failed backup left something:", found, err)
	}
	now, rule := noon().AddDate(0, 0, 5), backup.Retention{Keep: 2, For: 73 * time.Hour}
	left := func() (days string) {
		found, err := f.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range found {
			days += k.ID[7:]
		}
		return days
	}
	if gone, err := backup.Prune(t.Context(), f, rule, now, w.Verifier()); err != nil || len(gone) != 2 || left() != "432" {
		t.Fatal(gone, left(), err)
	}
	for _, k := range all[3:] {
		raw, err := os.ReadFile(k.Path)
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)-1] ^= 1
		if err := errors.Join(os.Remove(k.Path), os.WriteFile(k.Path, raw, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	rule.For = 0
	if gone, err := backup.Prune(t.Context(), f, rule, now, w.Verifier()); err != nil || len(gone) != 0 || left() != "432" {
		t.Error("the last good backup went:", gone, left(), err)
	}
}

// SG-08: a place in an object store keeps the same promises.
func TestInObjects(t *testing.T) {
	w, r := keys(t)
	server := testbucket.Start(t)
	server.Bucket(t, "backups", true)
	at, err := bucket.Parse(server.Place("backups", "hospital"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := bucket.Open(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	p := backup.InObjects{Objects: b, Name: b.String()}
	var all []backup.Kept
	for day := range 4 {
		all = append(all, put(t, p, w, day))
	}
	if _, err := p.Put(t.Context(), all[0].Header, func(io.Writer) error { return nil }); !errs.Is(err, errs.Conflict) {
		t.Errorf("overwritten: %v", err)
	}
	for _, name := range []string{"notes.txt", "mandate-20200101T000000Z-x.mandate-backup", "deep/x.mandate-backup"} {
		if err := b.Put(t.Context(), name, []byte("no backup"), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := p.List(t.Context())
	if err != nil || len(got) != 4 || got[0].ID != "00000003" || got[0].Path != "s3://backups/hospital/"+filepath.Base(got[0].Path) || got[0].Size != all[3].Size {
		t.Fatal(got, err)
	}
	file, err := p.Open(t.Context(), got[1])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if h, _, err := backup.Read(file, r, &kept{}); err != nil || h.ID != "00000002" {
		t.Error(h, err)
	}
	gone, err := backup.Prune(t.Context(), p, backup.Retention{Keep: 1}, noon().AddDate(0, 0, 9), w.Verifier())
	if got, e := p.List(t.Context()); err != nil || e != nil || len(gone) != 3 || len(got) != 1 || got[0].ID != "00000003" {
		t.Error(gone, got, err, e)
	}
	immutable := backup.InObjects{Objects: b, Name: b.String(), Immutable: 20 * 365 * 24 * time.Hour}
	held := put(t, immutable, w, 5)
	if err := p.Remove(t.Context(), held); !errs.Is(err, errs.Unavailable) {
		t.Errorf("an immutable backup was deleted: %v", err)
	}
}

// SG-08: an immutable backup in a folder cannot be deleted by root either until
// its time, or the command says that it is not immutable.
func TestImmutableFolder(t *testing.T) {
	w, _ := keys(t)
	f := backup.Folder{Dir: t.TempDir(), Immutable: true}
	h := backup.Header{ID: "00000001", Taken: noon()}
	k, err := f.Put(t.Context(), h, func(out io.Writer) error {
		b, err := backup.NewWriter(out, w, h)
		if err != nil {
			return err
		}
		err = b.Begin(backup.Manifest{})
		_, e := b.Close()
		return errors.Join(err, e)
	})
	all, e := f.List(t.Context())
	if e != nil || len(all) != 1 {
		t.Fatal("the backup is not there:", all, e)
	}
	if err != nil {
		// This file system or this user has no such flag.
		if errs.As(err).Code != "backup-not-immutable" || !strings.Contains(errs.As(err).Msg, "CAP_LINUX_IMMUTABLE") {
			t.Error(err)
		}
		return
	}
	if err := os.Remove(k.Path); err == nil {
		t.Error("an immutable file was deleted")
	}
	if err := os.WriteFile(k.Path, []byte("forged"), 0o600); err == nil {
		t.Error("an immutable file was written")
	}
	second := put(t, f, w, 2)
	t.Cleanup(func() { _ = f.Remove(context.WithoutCancel(t.Context()), second) })
	gone, err := backup.Prune(t.Context(), f, backup.Retention{Keep: 1}, noon().AddDate(0, 0, 9), w.Verifier())
	if err != nil || len(gone) != 1 || gone[0].ID != h.ID {
		t.Error(gone, err)
	}
}
