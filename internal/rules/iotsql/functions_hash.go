package iotsql

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
)

func hashFunctions() []Function {
	return []Function{
		hash("md2", "MD2", 1, func(b []byte) []byte { sum := md2(b); return sum[:] }, "8350e5a3e24c153df2275c9f80692773"),
		hash("md5", "MD5", 16, func(b []byte) []byte { sum := md5.Sum(b); return sum[:] }, "d41d8cd98f00b204e9800998ecf8427e"),
		hash("sha1", "SHA-1", 16, func(b []byte) []byte { sum := sha1.Sum(b); return sum[:] }, "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
		hash("sha224", "SHA-224", 16, func(b []byte) []byte { sum := sha256.Sum224(b); return sum[:] },
			"d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f"),
		hash("sha256", "SHA-256", 16, func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] },
			"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
		hash("sha384", "SHA-384", 16, func(b []byte) []byte { sum := sha512.Sum384(b); return sum[:] },
			"38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b"),
		hash("sha512", "SHA-512", 16, func(b []byte) []byte { sum := sha512.Sum512(b); return sum[:] },
			"cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"),
	}
}

// hash is a row; in one step it gets through so many bytes.
func hash(name, title string, bytesPerStep int, sum func([]byte) []byte, ofNothing string) Function {
	return Function{
		Name: name, Arguments: "text", Min: 1, Max: 1, Since: V20151008, Group: GroupStrings,
		Doc:      "The " + title + " hash of the text's UTF-8 bytes, in small hexadecimal digits.",
		Examples: []Example{example(name+"('')", `"`+ofNothing+`"`), example(name+"(NULL)", "Undefined")},
		code: func(ev *evaluation, args []Value) Value {
			text, ok := ev.toText(args[0])
			if !ok || !ev.spend(len(text)/bytesPerStep) {
				return Value{}
			}
			return NewString(hex.EncodeToString(sum([]byte(text))))
		},
	}
}
