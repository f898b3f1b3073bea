package ldap

import (
	"errors"
	"strings"

	ldapv3 "github.com/go-ldap/ldap/v3"
)

// bind binds as an entry, and gives why that is refused, "" when the password is
// right. Errors: any that says nothing about the password.
func bind(conn *ldapv3.Conn, dn, password string) (refused string, err error) {
	policy := ldapv3.NewControlBeheraPasswordPolicy()
	got, err := conn.SimpleBind(ldapv3.NewSimpleBindRequest(dn, password, []ldapv3.Control{policy}))
	if err != nil {
		return refusal(err)
	}
	for _, c := range got.Controls {
		switch c := c.(type) {
		case *ldapv3.ControlBeheraPasswordPolicy:
			if reason := ofPolicy(c.Error); reason != "" {
				return reason, nil
			}
		case *ldapv3.ControlVChuPasswordMustChange:
			return "directory-password-expired", nil
		}
	}
	return "", nil
}

// ofPolicy reads what a bind that succeeded says of the password (draft-behera-10
// §6.2): -1 for nothing. A session of a password that has to be changed is good for
// that alone.
func ofPolicy(code int8) string {
	switch code {
	case 0, 2:
		return "directory-password-expired"
	case 1:
		return "directory-account-blocked"
	}
	return ""
}

// refusal reads an answer to a bind.
func refusal(err error) (string, error) {
	var said *ldapv3.Error
	if !errors.As(err, &said) {
		return "", told("bind", err)
	}
	switch said.ResultCode {
	case ldapv3.LDAPResultInvalidCredentials:
		return ofActiveDirectory(said.Err), nil
	case ldapv3.LDAPResultNoSuchObject:
		return "directory-entry-absent", nil
	case ldapv3.LDAPResultUnwillingToPerform, ldapv3.LDAPResultConstraintViolation, ldapv3.LDAPResultInsufficientAccessRights,
		ldapv3.LDAPResultInappropriateAuthentication:
		return "directory-account-blocked", nil
	}
	return "", told("bind", err)
}

// ofActiveDirectory reads the code in the text of an answer of Active Directory
// (MS-ADTS §5.1.1.1.3: "… AcceptSecurityContext error, data 533, …").
func ofActiveDirectory(text error) string {
	if text == nil {
		return "password-wrong"
	}
	_, data, _ := strings.Cut(text.Error(), ", data ")
	code, _, _ := strings.Cut(data, ",")
	switch strings.TrimSpace(code) {
	case "530", "531", "533", "701", "775":
		return "directory-account-blocked"
	case "532", "773":
		return "directory-password-expired"
	}
	return "password-wrong"
}
