"""The currencies of ISO 4217 and how many decimals each has. Libraries that know them weigh ten megabytes."""

_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD
CDF CHF CLF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK
LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR
PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC
SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYI UYU UYW UZS VED VES VND VUV WST XAF XCD XCG
XOF XPF YER ZAR ZMW ZWG ZWL
"""

# Every currency that is not named here has 2.
_WITH_0_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_WITH_3_DIGITS = "BHD IQD JOD KWD LYD OMR TND"
_WITH_4_DIGITS = "CLF UYW"
_OTHER_THAN_2 = {
    currency: digits
    for digits, currencies in ((0, _WITH_0_DIGITS), (3, _WITH_3_DIGITS), (4, _WITH_4_DIGITS))
    for currency in currencies.split()
}

MINOR_DIGITS = {currency: _OTHER_THAN_2.get(currency, 2) for currency in _CODES.split()}


def is_currency(name: str) -> bool:
    return name in MINOR_DIGITS


def minor_digits(currency: str) -> int:
    """How many decimals the currency's minor unit has; 2 for what is no currency."""
    return MINOR_DIGITS.get(currency, 2)
