// What only {{.Thing}} knows. Do not publish this file.
#pragma once

// Your Wi-Fi.
static const char WIFI_NAME[] = "your Wi-Fi";
static const char WIFI_PASSWORD[] = "its password";

// The server's root certificate.
static const char ROOT_CA[] = R"PEM(
{{.RootCA}})PEM";

// The certificate of {{.Thing}} and its private key.
static const char DEVICE_CERTIFICATE[] = R"PEM(
{{.Certificate}})PEM";

static const char DEVICE_PRIVATE_KEY[] = R"PEM(
{{.PrivateKey}})PEM";
