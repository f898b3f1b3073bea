package kms_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mandate-health/mandate/internal/keys"
	"github.com/mandate-health/mandate/internal/keys/kms"
)

const (
	awsKey  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	awsMade = 1700000000
)

// fakeAWS speaks the protocol of AWS KMS (JSON 1.1) for one key: what it encrypts
// is readable, and bound to its encryption context. A rotation counts some
// questions later, as with the service.
type fakeAWS struct {
	mu sync.Mutex
	// material is the number of the current one, rotated when each was made.
	material int
	rotated  map[int]int64
	// pending counts the questions until a rotation is done.
	pending int
	refuse  string
}

type awsBox struct {
	Key, Material string
	Context       map[string]string
	Plain         []byte
}

func (f *fakeAWS) name(n int) string {
	sum := sha256.Sum256(fmt.Append(nil, "material", n))
	return hex.EncodeToString(sum[:])
}

func (f *fakeAWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var in struct {
		KeyID                     string `json:"KeyId"`
		Plaintext, CiphertextBlob []byte
		EncryptionContext         map[string]string
	}
	fail := func(code string) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": code})
	}
	answer := func(v any) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(v)
	}
	act, ours := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	switch {
	case !ours || json.NewDecoder(r.Body).Decode(&in) != nil:
		fail("UnknownOperationException")
		return
	case !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"):
		fail("UnrecognizedClientException")
		return
	case f.refuse != "":
		fail(f.refuse)
		return
	case in.KeyID != "alias/mandate" && in.KeyID != awsKey:
		fail("NotFoundException")
		return
	}
	if f.pending > 0 {
		if f.pending--; f.pending == 0 {
			f.material++
			f.rotated[f.material] = awsMade + int64(f.material)
		}
	}
	f.act(act, in.Plaintext, in.CiphertextBlob, in.EncryptionContext, answer, fail)
}

func (f *fakeAWS) act(act string, plain, sent []byte, bound map[string]string, answer func(any), fail func(string)) {
	arn := "arn:aws:kms:eu-central-1:111122223333:key/" + awsKey
	switch act {
	case "Encrypt":
		box, _ := json.Marshal(awsBox{awsKey, f.name(f.material), bound, plain})
		answer(map[string]any{"CiphertextBlob": box, "KeyId": arn})
	case "Decrypt":
		var box awsBox
		switch {
		case json.Unmarshal(sent, &box) != nil || !maps.Equal(box.Context, bound):
			fail("InvalidCiphertextException")
		case box.Key != awsKey:
			fail("IncorrectKeyException")
		default:
			answer(map[string]any{"Plaintext": box.Plain, "KeyId": arn, "KeyMaterialId": box.Material})
		}
	case "DescribeKey":
		answer(map[string]any{"KeyMetadata": map[string]any{
			"KeyId": awsKey, "Arn": arn, "CreationDate": awsMade, "CurrentKeyMaterialId": f.name(f.material)}})
	case "ListKeyRotations":
		list := []map[string]any{}
		for n, at := range f.rotated {
			list = append(list, map[string]any{"KeyId": arn, "KeyMaterialId": f.name(n), "RotationDate": at})
		}
		answer(map[string]any{"Rotations": list, "Truncated": false})
	case "RotateKeyOnDemand":
		f.pending = 3
		answer(map[string]any{"KeyId": awsKey})
	default:
		fail("UnknownOperationException")
	}
}

// Nothing of this machine's own settings of AWS takes part.
func openAWS(t *testing.T) (*fakeAWS, *kms.AWS) {
	t.Helper()
	f := &fakeAWS{rotated: map[int]int64{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	none := filepath.Join(t.TempDir(), "none")
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
	cfg, err := kms.ParseAWS("alias/mandate?region=eu-central-1&endpoint=" + s.URL)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Look = time.Millisecond
	a, err := kms.NewAWS(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f, a
}

// SE-02, SE-03, SE-04: a key wrapped by AWS KMS opens in its context, also after
// the service rotated, and each wrapped key names what wrapped it.
func TestAWS(t *testing.T) {
	ctx := t.Context()
	_, a := openAWS(t)
	plain, bound := bytes.Repeat([]byte{7}, 32), []byte(`tenant-key/"main"/1`)
	first, err := a.Current(ctx)
	if err != nil || first.Created.Unix() != awsMade {
		t.Fatal(first, err)
	}
	old, err := a.Wrap(ctx, plain, bound)
	if err != nil || old.KEK != first.ID {
		t.Fatal(old.KEK, first, err)
	}
	kek, err := a.Rotate(ctx)
	if err != nil || kek.ID == old.KEK || kek.Created.Unix() != awsMade+1 {
		t.Fatal(kek, err)
	}
	fresh, err := a.Wrap(ctx, plain, bound)
	if err != nil || fresh.KEK != kek.ID {
		t.Fatal(fresh.KEK, kek, err)
	}
	for _, w := range []keys.Wrapped{old, fresh} {
		if got, err := a.Unwrap(ctx, w, bound); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%x %v", got, err)
		}
	}
	// Another tenant's name does not open it.
	_, err = a.Unwrap(ctx, old, []byte(`tenant-key/"other"/1`))
	wantCode(t, err, "key-unwrap")
	_, err = a.Unwrap(ctx, keys.Wrapped{KEK: "local-1", Bytes: []byte("x")}, bound)
	wantCode(t, err, "kek-unknown")
	elsewhere, _ := json.Marshal(awsBox{"another", "m", map[string]string{"mandate-key": string(bound)}, plain})
	_, err = a.Unwrap(ctx, keys.Wrapped{KEK: "awskms-another-m", Bytes: elsewhere}, bound)
	wantCode(t, err, "kek-unknown")
}

func TestAWSRefusals(t *testing.T) {
	f, a := openAWS(t)
	for said, code := range map[string]string{
		"AccessDeniedException": "awskms-refused", "DisabledException": "awskms-key", "NotFoundException": "awskms-key",
		"UnrecognizedClientException": "awskms-failed",
	} {
		f.refuse = said
		_, err := a.Current(t.Context())
		wantCode(t, err, code)
	}
}

func TestAWSPlaces(t *testing.T) {
	for _, place := range []string{
		"", "?region=eu-central-1", "alias/a?acl=public", "arn:aws:s3:::bucket", "alias/a b", "alias/a?region=%zz",
	} {
		_, err := kms.ParseAWS(place)
		wantCode(t, err, "awskms-place")
	}
	_, err := kms.ParseAWS("alias/a?endpoint=http://10.1.1.1")
	wantCode(t, err, "aws-place")
	cfg, err := kms.ParseAWS("arn:aws:kms:eu-west-1:111122223333:key/" + awsKey)
	if err != nil || cfg.At.Region != "eu-west-1" {
		t.Errorf("the region of an ARN: %+v %v", cfg, err)
	}
}
