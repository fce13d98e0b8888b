// Connects {{.Thing}} to {{.Endpoint}}: sends a message a second and prints
// what comes back. For boards with an ESP32.
//
// Before: put the name and password of your Wi-Fi into secrets.h, and install
// the library PubSubClient with the Library Manager of the Arduino IDE. The
// serial monitor (115200 baud) shows what happens.
#include <PubSubClient.h>
#include <WiFi.h>
#include <WiFiClientSecure.h>

#include "secrets.h"

static const char HOST[] = "{{.Endpoint}}";
static const uint16_t PORT = {{.Port}};
static const char CLIENT_ID[] = "sdk-arduino-{{.Thing}}";
static const char TOPIC[] = "sdk/test/arduino";
static const unsigned long MILLISECONDS_BETWEEN_MESSAGES = 1000;
static const unsigned long MILLISECONDS_BETWEEN_ATTEMPTS = 5000;
// The library's own default of 256 bytes drops larger messages silently.
static const uint16_t PACKET_BYTES_MAX = 2048;

static WiFiClientSecure tls;
static PubSubClient mqtt(tls);
static unsigned long lastMessage = 0;
static unsigned long number = 0;

static void received(char *topic, byte *payload, unsigned int length) {
  Serial.printf("Received message from topic '%s': %.*s\n", topic, (int)length, (const char *)payload);
}

static void joinWiFi() {
  Serial.printf("Joining Wi-Fi %s...\n", WIFI_NAME);
  WiFi.mode(WIFI_STA);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  while (WiFi.status() != WL_CONNECTED) {
    delay(500);
  }
  Serial.printf("Connected to Wi-Fi as %s\n", WiFi.localIP().toString().c_str());
}

// connectDevice keeps trying: a device that was refused once may be let in
// after its policy was mended.
static void connectDevice() {
  while (!mqtt.connected()) {
    Serial.printf("Connecting to %s with client ID '%s'...\n", HOST, CLIENT_ID);
    if (mqtt.connect(CLIENT_ID)) {
      Serial.println("Connected!");
      mqtt.subscribe(TOPIC, 1);
      return;
    }
    Serial.printf("Could not connect (state %d); on the server, \"thingd why %s\" says why.\n", mqtt.state(), CLIENT_ID);
    delay(MILLISECONDS_BETWEEN_ATTEMPTS);
  }
}

static void sendMessage() {
  char message[64];
  number++;
  snprintf(message, sizeof message, "\"Hello World! [%lu]\"", number);
  Serial.printf("Publishing message to topic '%s': %s\n", TOPIC, message);
  mqtt.publish(TOPIC, message);
}

void setup() {
  Serial.begin(115200);
  joinWiFi();
  tls.setCACert(ROOT_CA);
  tls.setCertificate(DEVICE_CERTIFICATE);
  tls.setPrivateKey(DEVICE_PRIVATE_KEY);
  mqtt.setServer(HOST, PORT);
  mqtt.setBufferSize(PACKET_BYTES_MAX);
  mqtt.setCallback(received);
}

void loop() {
  if (WiFi.status() != WL_CONNECTED) {
    joinWiFi();
  }
  connectDevice();
  mqtt.loop();
  if (millis() - lastMessage >= MILLISECONDS_BETWEEN_MESSAGES) {
    lastMessage = millis();
    sendMessage();
  }
}
