package org.opensaml.saml.saml2.core;

/** Stands for a class of a library that is not published where the others are; only its name is needed. */
public interface StatusResponseType {}
