package saml

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/beevik/etree"
)

// errCipher is everything that can be wrong with what is encrypted: which part it was
// would help whoever guesses.
var errCipher = errors.New("what is encrypted cannot be read")

// blocks are the sizes of the keys of the ciphers that are taken, in bytes; gcm
// ciphers prove what they hold by themselves.
func blocks(algorithm string) (size int, gcm bool) {
	switch algorithm {
	case nsEncrypted + "aes128-cbc":
		return 16, false
	case nsEncrypted + "aes192-cbc":
		return 24, false
	case nsEncrypted + "aes256-cbc":
		return 32, false
	case "http://www.w3.org/2009/xmlenc11#aes128-gcm":
		return 16, true
	case "http://www.w3.org/2009/xmlenc11#aes192-gcm":
		return 24, true
	case "http://www.w3.org/2009/xmlenc11#aes256-gcm":
		return 32, true
	}
	return 0, false
}

// decrypt gives the text of an EncryptedAssertion. proven says that a signature covers
// the cipher text: CBC proves nothing by itself, so it is read only then.
func decrypt(el *etree.Element, key *rsa.PrivateKey, proven bool) ([]byte, error) {
	data := only(el, nsEncrypted, "EncryptedData")
	size, gcm := blocks(method(data))
	if size == 0 || !gcm && !proven {
		return nil, errCipher
	}
	wrapped := only(el, nsEncrypted, "EncryptedKey")
	if info := only(data, nsSignature, "KeyInfo"); wrapped == nil && info != nil {
		wrapped = only(info, nsEncrypted, "EncryptedKey")
	}
	secret, err := unwrap(wrapped, key)
	text, ok := value(data)
	if err != nil || !ok || len(secret) != size {
		return nil, errCipher
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, errCipher
	}
	if gcm {
		return openGCM(block, text)
	}
	return openCBC(block, text)
}

func openGCM(block cipher.Block, text []byte) ([]byte, error) {
	aead, err := cipher.NewGCM(block)
	if err != nil || len(text) < aead.NonceSize() {
		return nil, errCipher
	}
	plain, err := aead.Open(nil, text[:aead.NonceSize()], text[aead.NonceSize():], nil)
	if err != nil {
		return nil, errCipher
	}
	return plain, nil
}

// openCBC cuts the padding of XML Encryption §5.2: its last byte is its length.
func openCBC(block cipher.Block, text []byte) ([]byte, error) {
	size := block.BlockSize()
	if len(text) < 2*size || len(text)%size != 0 {
		return nil, errCipher
	}
	plain := make([]byte, len(text)-size)
	cipher.NewCBCDecrypter(block, text[:size]).CryptBlocks(plain, text[size:])
	pad := int(plain[len(plain)-1])
	if pad < 1 || pad > size {
		return nil, errCipher
	}
	return plain[:len(plain)-pad], nil
}

// hashes are those of OAEP, by the digest and by the mask.
func hashes(name string) crypto.Hash {
	switch name {
	case nsSignature + "sha1", "http://www.w3.org/2009/xmlenc11#mgf1sha1":
		return crypto.SHA1
	case nsEncrypted + "sha256", "http://www.w3.org/2009/xmlenc11#mgf1sha256":
		return crypto.SHA256
	case nsEncrypted + "sha512", "http://www.w3.org/2009/xmlenc11#mgf1sha512":
		return crypto.SHA512
	}
	return 0
}

// unwrap gives the key of the data. Only OAEP is taken (XML Encryption 1.1 §5.5.2).
func unwrap(el *etree.Element, key *rsa.PrivateKey) ([]byte, error) {
	text, ok := value(el)
	if !ok {
		return nil, errCipher
	}
	digest, mask := crypto.SHA1, crypto.SHA1
	how := only(el, nsEncrypted, "EncryptionMethod")
	if m := only(how, nsSignature, "DigestMethod"); m != nil {
		digest = hashes(m.SelectAttrValue("Algorithm", ""))
	}
	switch method(el) {
	case nsEncrypted + "rsa-oaep-mgf1p":
	case "http://www.w3.org/2009/xmlenc11#rsa-oaep":
		if m := only(how, "http://www.w3.org/2009/xmlenc11#", "MGF"); m != nil {
			mask = hashes(m.SelectAttrValue("Algorithm", ""))
		}
	default:
		return nil, errCipher
	}
	if !digest.Available() || !mask.Available() {
		return nil, errCipher
	}
	return key.Decrypt(nil, text, &rsa.OAEPOptions{Hash: digest, MGFHash: mask})
}

// method gives the algorithm of encrypted data or of an encrypted key.
func method(el *etree.Element) string {
	if m := only(el, nsEncrypted, "EncryptionMethod"); m != nil {
		return m.SelectAttrValue("Algorithm", "")
	}
	return ""
}

// value gives the bytes of the cipher.
func value(el *etree.Element) ([]byte, bool) {
	v := only(only(el, nsEncrypted, "CipherData"), nsEncrypted, "CipherValue")
	if v == nil {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v.Text()), ""))
	return raw, err == nil
}
