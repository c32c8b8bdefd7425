//! The C boundary: OpenSSH's sk-api.h, version 10. All results are allocated with libc's malloc,
//! because ssh frees them with its free.

use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use hallway_ctap::cose::Algorithm;

use crate::enroll::{Enroll, enroll};
use crate::error::SkError;
use crate::resident;
use crate::sign::{Sign, sign};

const API_VERSION: u32 = 0x000a_0000;

/// struct sk_enroll_response.
#[repr(C)]
pub struct EnrollResponse {
    flags: u8,
    public_key: *mut u8,
    public_key_len: usize,
    key_handle: *mut u8,
    key_handle_len: usize,
    signature: *mut u8,
    signature_len: usize,
    attestation_cert: *mut u8,
    attestation_cert_len: usize,
    authdata: *mut u8,
    authdata_len: usize,
}

/// struct sk_sign_response.
#[repr(C)]
pub struct SignResponse {
    flags: u8,
    counter: u32,
    sig_r: *mut u8,
    sig_r_len: usize,
    sig_s: *mut u8,
    sig_s_len: usize,
}

/// struct sk_resident_key.
#[repr(C)]
pub struct ResidentKey {
    alg: u32,
    slot: usize,
    application: *mut c_char,
    key: EnrollResponse,
    flags: u8,
    user_id: *mut u8,
    user_id_len: usize,
}

/// struct sk_option.
#[repr(C)]
pub struct SkOption {
    name: *mut c_char,
    value: *mut c_char,
    required: u8,
}

/// The options that this middleware knows.
#[derive(Default)]
struct Options<'a> {
    device: Option<&'a str>,
    user: Option<&'a str>,
}

/// uint32_t sk_api_version(void).
// SAFETY: the name is this library's part of an interface that has no other such symbol.
#[unsafe(no_mangle)]
pub extern "C" fn sk_api_version() -> u32 {
    API_VERSION
}

/// int sk_enroll(…): enrols a key.
///
/// # Safety
/// As sk-api.h says: `challenge` has `challenge_len` bytes, strings end in NUL, `options` is null
/// or ends in null, `response` can be written to.
// SAFETY: see `sk_api_version`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_enroll(
    alg: u32,
    challenge: *const u8,
    challenge_len: usize,
    application: *const c_char,
    flags: u8,
    pin: *const c_char,
    options: *mut *mut SkOption,
    response: *mut *mut EnrollResponse,
) -> c_int {
    answer(|| {
        // SAFETY: the caller keeps the contract above.
        let (challenge, application, pin, options) = unsafe {
            (
                bytes(challenge, challenge_len),
                text(application)?,
                text(pin)?,
                read_options(options)?,
            )
        };
        let made = enroll(&Enroll {
            algorithm: algorithm(alg)?,
            challenge,
            application: application.ok_or(SkError::General)?,
            flags,
            pin,
            device: options.device,
            user: options.user,
        })?;
        let (public_key, public_key_len) = copy(&made.public_key)?;
        let (key_handle, key_handle_len) = copy(&made.key_handle)?;
        let (signature, signature_len) = copy(&made.signature)?;
        let (attestation_cert, attestation_cert_len) = copy(&made.certificate)?;
        let (authdata, authdata_len) = copy(&made.auth_data)?;
        let allocated = allocate(EnrollResponse {
            flags: made.flags,
            public_key,
            public_key_len,
            key_handle,
            key_handle_len,
            signature,
            signature_len,
            attestation_cert,
            attestation_cert_len,
            authdata,
            authdata_len,
        })?;
        // SAFETY: the caller lets `response` be written to.
        unsafe { response.write(allocated) };
        Ok(())
    })
}

/// int sk_sign(…): signs.
///
/// # Safety
/// As [`sk_enroll`]; `key_handle` has `key_handle_len` bytes.
// SAFETY: see `sk_api_version`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_sign(
    alg: u32,
    data: *const u8,
    data_len: usize,
    application: *const c_char,
    key_handle: *const u8,
    key_handle_len: usize,
    flags: u8,
    pin: *const c_char,
    options: *mut *mut SkOption,
    response: *mut *mut SignResponse,
) -> c_int {
    answer(|| {
        // SAFETY: the caller keeps the contract above.
        let (data, application, key_handle, pin, options) = unsafe {
            (
                bytes(data, data_len),
                text(application)?,
                bytes(key_handle, key_handle_len),
                text(pin)?,
                read_options(options)?,
            )
        };
        let signed = sign(&Sign {
            algorithm: algorithm(alg)?,
            data,
            application: application.ok_or(SkError::General)?,
            key_handle,
            flags,
            pin,
            device: options.device,
        })?;
        let (sig_r, sig_r_len) = copy(&signed.r)?;
        let (sig_s, sig_s_len) = copy(&signed.s)?;
        let allocated = allocate(SignResponse {
            flags: signed.flags,
            counter: signed.counter,
            sig_r,
            sig_r_len,
            sig_s,
            sig_s_len,
        })?;
        // SAFETY: the caller lets `response` be written to.
        unsafe { response.write(allocated) };
        Ok(())
    })
}

/// int sk_load_resident_keys(…): lists the keys that live on the device.
///
/// # Safety
/// As [`sk_enroll`]; `keys` and `count` can be written to.
// SAFETY: see `sk_api_version`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sk_load_resident_keys(
    pin: *const c_char,
    options: *mut *mut SkOption,
    keys: *mut *mut *mut ResidentKey,
    count: *mut usize,
) -> c_int {
    answer(|| {
        // SAFETY: the caller keeps the contract above.
        let (pin, options) = unsafe { (text(pin)?, read_options(options)?) };
        let found = resident::load(pin, options.device)?;
        let mut all = Vec::with_capacity(found.len());
        for (slot, key) in found.iter().enumerate() {
            all.push(allocate(resident_key(slot, key)?)?);
        }
        let array = if all.is_empty() {
            ptr::null_mut()
        } else {
            copy_items(&all)?
        };
        // SAFETY: the caller lets both be written to.
        unsafe {
            keys.write(array);
            count.write(all.len());
        }
        Ok(())
    })
}

fn resident_key(slot: usize, key: &resident::Resident) -> Result<ResidentKey, SkError> {
    let application = [key.application.as_bytes(), &[0]].concat();
    let (public_key, public_key_len) = copy(&key.public_key)?;
    let (key_handle, key_handle_len) = copy(&key.key_handle)?;
    let (user_id, user_id_len) = copy(&key.user_id)?;
    Ok(ResidentKey {
        alg: if key.algorithm == Algorithm::Es256 {
            0
        } else {
            1
        },
        slot,
        application: copy(&application)?.0.cast(),
        key: EnrollResponse {
            flags: key.flags,
            public_key,
            public_key_len,
            key_handle,
            key_handle_len,
            signature: ptr::null_mut(),
            signature_len: 0,
            attestation_cert: ptr::null_mut(),
            attestation_cert_len: 0,
            authdata: ptr::null_mut(),
            authdata_len: 0,
        },
        flags: key.flags,
        user_id,
        user_id_len,
    })
}

/// SSH_SK_ECDSA or SSH_SK_ED25519.
fn algorithm(alg: u32) -> Result<Algorithm, SkError> {
    match alg {
        0 => Ok(Algorithm::Es256),
        1 => Ok(Algorithm::EdDsa),
        _ => Err(SkError::Unsupported),
    }
}

/// Runs a function of the middleware; a panic must not cross into C.
fn answer(run: impl FnOnce() -> Result<(), SkError>) -> c_int {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => error as c_int,
        Err(_) => SkError::General as c_int,
    }
}

/// # Safety
/// `data` is null or has `length` bytes that outlive the result.
unsafe fn bytes<'a>(data: *const u8, length: usize) -> &'a [u8] {
    if data.is_null() || length == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for the length.
    unsafe { std::slice::from_raw_parts(data, length) }
}

/// # Safety
/// `string` is null, or ends in NUL and outlives the result.
unsafe fn text<'a>(string: *const c_char) -> Result<Option<&'a str>, SkError> {
    if string.is_null() {
        return Ok(None);
    }
    // SAFETY: not null, and the caller vouches for the NUL.
    let text = unsafe { CStr::from_ptr(string) };
    match text.to_str() {
        // ssh passes an empty PIN where none was typed.
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(SkError::General),
    }
}

/// # Safety
/// `options` is null, or an array that ends in null and outlives the result.
unsafe fn read_options<'a>(options: *mut *mut SkOption) -> Result<Options<'a>, SkError> {
    let mut known = Options::default();
    if options.is_null() {
        return Ok(known);
    }
    let mut at = options;
    // SAFETY: the array ends in null, and each item before that is an option with two strings.
    while let Some(option) = unsafe { (*at).as_ref() } {
        // SAFETY: see above.
        let (name, value) = unsafe { (text(option.name)?, text(option.value)?) };
        match name {
            Some("device") => known.device = value,
            Some("user") => known.user = value,
            _ if option.required != 0 => return Err(SkError::Unsupported),
            _ => {}
        }
        // SAFETY: the null at the end was not reached yet.
        at = unsafe { at.add(1) };
    }
    Ok(known)
}

/// Bytes in memory that ssh can free; null for none.
fn copy(data: &[u8]) -> Result<(*mut u8, usize), SkError> {
    if data.is_empty() {
        return Ok((ptr::null_mut(), 0));
    }
    Ok((copy_items(data)?, data.len()))
}

/// Items in memory that ssh can free; there must be some.
fn copy_items<T: Copy>(items: &[T]) -> Result<*mut T, SkError> {
    // SAFETY: malloc is safe to call with any size; its result is checked.
    let memory = unsafe { libc::malloc(size_of_val(items)) }.cast::<T>();
    if memory.is_null() {
        return Err(SkError::General);
    }
    // SAFETY: the memory is new, as long as the items, and aligned for any type.
    unsafe { ptr::copy_nonoverlapping(items.as_ptr(), memory, items.len()) };
    Ok(memory)
}

/// One value in memory that ssh can free.
fn allocate<T>(value: T) -> Result<*mut T, SkError> {
    // SAFETY: malloc is safe to call with any size; its result is checked.
    let memory = unsafe { libc::malloc(size_of::<T>()) }.cast::<T>();
    if memory.is_null() {
        return Err(SkError::General);
    }
    // SAFETY: the memory is new, large enough, and aligned for any type.
    unsafe { memory.write(value) };
    Ok(memory)
}
