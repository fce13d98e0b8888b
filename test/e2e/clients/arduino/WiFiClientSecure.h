// Stand-in: writes what the sketch trusts and who it is into files.
#pragma once
#include "Arduino.h"

class WiFiClientSecure {
public:
  void setCACert(const char *pem) { keep("ca.pem", pem); }
  void setCertificate(const char *pem) { keep("cert.pem", pem); }
  void setPrivateKey(const char *pem) { keep("key.pem", pem); }

private:
  static void keep(const char *name, const char *pem) {
    std::FILE *file = std::fopen(name, "w");
    if (file == nullptr || std::fputs(pem, file) < 0 || std::fclose(file) != 0) std::perror(name);
  }
};
