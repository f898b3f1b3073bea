package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/mandate-health/mandate/conformance/kit"
)

// accounts makes accounts with one password each and gives their people: at once is
// many people, not one person many times, which an account's brakes would stop.
func (r *rig) accounts(ctx context.Context, n int) ([]kit.Person, error) {
	const salt = "salt of the crowd"
	someone := floorPerson()
	b64 := base64.RawStdEncoding.EncodeToString
	hash := fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=1$%s$%s", argon2.Version, argonKiB, argonPasses, b64([]byte(salt)),
		b64(argon2.IDKey([]byte(someone.Password), []byte(salt), argonPasses, argonKiB, 1, argonBytes)))
	var lines strings.Builder
	people := make([]kit.Person, n)
	for i := range people {
		people[i] = kit.Person{Username: fmt.Sprintf("crowd-%d", i), Password: someone.Password}
		line, err := json.Marshal(map[string]any{
			"username": people[i].Username, "name": "One of many", "role": "patient", "identity": []string{fmt.Sprintf("Patient/crowd-%d", i)}, "hash": hash,
		})
		if err != nil {
			return nil, err
		}
		lines.Write(append(line, '\n'))
	}
	file := filepath.Join(r.dir, "crowd.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		return nil, err
	}
	flags, err := r.storeFlags(subjectDB)
	if err != nil {
		return nil, err
	}
	c, err := startChild(ctx, r.binary, append([]string{"account", "import", file, "--accept-file-keys"}, flags...)...)
	if err != nil {
		return nil, err
	}
	<-c.ended
	if c.err != nil {
		return nil, errors.Join(fmt.Errorf("accounts are not made\n%s", c.log.Bytes()), c.err)
	}
	return people, nil
}
