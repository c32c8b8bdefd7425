//! TPMS_ATTEST with a TPMS_CERTIFY_INFO (TPM 2.0, part 2, 10.12.8 and 10.12.3).

use super::wire::Fields;

/// The magic number of every structure that a TPM makes and signs by itself.
pub(super) const TPM_GENERATED_VALUE: u32 = 0xff54_4347;
/// The type of an attestation that a TPM holds a key.
pub(super) const TPM_ST_ATTEST_CERTIFY: u16 = 0x8017;

/// What a TPM signed.
#[derive(Debug)]
pub(super) struct CertifyInfo<'a> {
    pub(super) magic: u32,
    pub(super) kind: u16,
    pub(super) extra_data: &'a [u8],
    /// The Name of the certified key.
    pub(super) name: &'a [u8],
}

impl<'a> CertifyInfo<'a> {
    /// Parses exactly `bytes`. `magic` and `kind` are for the caller to judge.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let magic = fields.u32()?;
        let kind = fields.u16()?;
        fields.sized()?; // qualifiedSigner
        let extra_data = fields.sized()?;
        fields.skip::<17>()?; // clockInfo
        fields.skip::<8>()?; // firmwareVersion
        let name = fields.sized()?;
        fields.sized()?; // qualifiedName
        fields.is_empty().then_some(Self {
            magic,
            kind,
            extra_data,
            name,
        })
    }
}
