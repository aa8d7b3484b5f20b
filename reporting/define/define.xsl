<?xml version="1.0" encoding="UTF-8"?>
<!-- Shows define.xml (Define-XML 2.1) as a page: datasets, variables, codelists, methods, comments. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:o="http://www.cdisc.org/ns/odm/v1.3" xmlns:def="http://www.cdisc.org/ns/def/v2.1"
    xmlns:xlink="http://www.w3.org/1999/xlink" exclude-result-prefixes="o def xlink">
  <xsl:output method="html" encoding="UTF-8" indent="no" doctype-system="about:legacy-compat"/>
  <xsl:key name="item" match="o:ItemDef" use="@OID"/>
  <xsl:key name="list" match="o:CodeList" use="@OID"/>
  <xsl:key name="method" match="o:MethodDef" use="@OID"/>
  <xsl:key name="comment" match="def:CommentDef" use="@OID"/>
  <xsl:key name="values" match="def:ValueListDef" use="@OID"/>
  <xsl:key name="where" match="def:WhereClauseDef" use="@OID"/>
  <xsl:key name="standard" match="def:Standard" use="@OID"/>

  <xsl:template match="/">
    <html lang="en">
      <head>
        <title><xsl:value-of select="//o:MetaDataVersion/@Name"/></title>
        <style>
          body { font: 15px/1.45 system-ui, sans-serif; color: #1b2430; margin: 2rem auto; max-width: 84rem; padding: 0 1.5rem }
          h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; margin-top: 2.5rem } h3 { font-size: 1.05rem; margin: 2rem 0 .4rem }
          table { border-collapse: collapse; width: 100% } caption { text-align: left; color: #51606f; padding: .2rem 0 }
          th, td { border-bottom: 1px solid #d5dce3; padding: .35rem .6rem; text-align: left; vertical-align: top }
          th { background: #f2f5f8; font-weight: 600 } nav a { margin-right: 1rem } a { color: #0b5cad }
          .part td:first-child { padding-left: 1.8rem } .part { background: #fafbfc } .quiet { color: #51606f }
        </style>
      </head>
      <body>
        <h1><xsl:value-of select="//o:StudyName"/>: <xsl:value-of select="//o:StudyDescription"/></h1>
        <p class="quiet">Protocol <xsl:value-of select="//o:ProtocolName"/>, as of <xsl:value-of select="/o:ODM/@AsOfDateTime"/>;
          <xsl:for-each select="//def:Standard"><xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="@Name"/>
            <xsl:text> </xsl:text><xsl:value-of select="@Version"/></xsl:for-each>; Define-XML <xsl:value-of select="//o:MetaDataVersion/@def:DefineVersion"/>.</p>
        <nav aria-label="Parts"><a href="#datasets">Datasets</a><a href="#variables">Variables</a><a href="#codelists">Codelists</a>
          <a href="#methods">Methods</a><a href="#comments">Comments</a></nav>
        <h2 id="datasets">Datasets</h2>
        <table>
          <tr><th scope="col">Dataset</th><th scope="col">Description</th><th scope="col">Class</th><th scope="col">Structure</th>
            <th scope="col">Keys</th><th scope="col">File</th></tr>
          <xsl:for-each select="//o:ItemGroupDef">
            <tr>
              <td><a href="#{@OID}"><xsl:value-of select="@Name"/></a></td>
              <td><xsl:value-of select="o:Description/o:TranslatedText"/><xsl:call-template name="comment"/></td>
              <td><xsl:value-of select="def:Class/@Name"/></td>
              <td><xsl:value-of select="@def:Structure"/></td>
              <td><xsl:for-each select="o:ItemRef[@KeySequence]"><xsl:sort select="@KeySequence" data-type="number"/>
                <xsl:if test="position() &gt; 1">, </xsl:if><xsl:value-of select="key('item', @ItemOID)/@Name"/></xsl:for-each></td>
              <td><a href="{def:leaf/@xlink:href}"><xsl:value-of select="def:leaf/def:title"/></a></td>
            </tr>
          </xsl:for-each>
        </table>
        <h2 id="variables">Variables</h2>
        <xsl:for-each select="//o:ItemGroupDef">
          <h3 id="{@OID}"><xsl:value-of select="@Name"/>: <xsl:value-of select="o:Description/o:TranslatedText"/></h3>
          <table>
            <tr><th scope="col">Variable</th><th scope="col">Label, or where it holds</th><th scope="col">Type</th><th scope="col">Length</th>
              <th scope="col">Terms</th><th scope="col">Origin, method, comment</th></tr>
            <xsl:for-each select="o:ItemRef">
              <xsl:sort select="@OrderNumber" data-type="number"/>
              <xsl:call-template name="variable"/>
              <xsl:for-each select="key('values', key('item', @ItemOID)/def:ValueListRef/@ValueListOID)/o:ItemRef">
                <xsl:call-template name="variable"><xsl:with-param name="class">part</xsl:with-param></xsl:call-template>
              </xsl:for-each>
            </xsl:for-each>
          </table>
        </xsl:for-each>
        <h2 id="codelists">Codelists</h2>
        <xsl:for-each select="//o:CodeList">
          <h3 id="{@OID}"><xsl:value-of select="@Name"/></h3>
          <xsl:call-template name="comment"/>
          <xsl:for-each select="o:ExternalCodeList"><p>Dictionary <xsl:value-of select="@Dictionary"/><xsl:text> </xsl:text>
            <xsl:value-of select="@Version"/></p></xsl:for-each>
          <xsl:if test="o:CodeListItem | o:EnumeratedItem">
            <table>
              <tr><th scope="col">Term</th><th scope="col">Stands for</th><th scope="col">NCI code</th></tr>
              <xsl:for-each select="o:CodeListItem | o:EnumeratedItem">
                <tr><td><xsl:value-of select="@CodedValue"/></td><td><xsl:value-of select="o:Decode/o:TranslatedText"/></td>
                  <td><xsl:value-of select="o:Alias/@Name"/><xsl:if test="@def:ExtendedValue">of ours</xsl:if></td></tr>
              </xsl:for-each>
            </table>
          </xsl:if>
        </xsl:for-each>
        <h2 id="methods">Methods</h2>
        <table>
          <tr><th scope="col">Method</th><th scope="col">Description</th></tr>
          <xsl:for-each select="//o:MethodDef"><tr id="{@OID}"><td><xsl:value-of select="@Name"/></td>
            <td><xsl:value-of select="o:Description/o:TranslatedText"/></td></tr></xsl:for-each>
        </table>
        <h2 id="comments">Comments</h2>
        <table>
          <tr><th scope="col">Of</th><th scope="col">Comment</th></tr>
          <xsl:for-each select="//def:CommentDef"><tr id="{@OID}"><td><xsl:value-of select="substring-after(@OID, 'COM.')"/></td>
            <td><xsl:value-of select="o:Description/o:TranslatedText"/></td></tr></xsl:for-each>
        </table>
      </body>
    </html>
  </xsl:template>

  <xsl:template name="variable">
    <xsl:param name="class"/>
    <xsl:variable name="item" select="key('item', @ItemOID)"/>
    <tr class="{$class}">
      <td><xsl:value-of select="$item/@Name"/><xsl:if test="@KeySequence"> (key)</xsl:if></td>
      <td><xsl:value-of select="$item/o:Description/o:TranslatedText"/>
        <xsl:for-each select="key('where', def:WhereClauseRef/@WhereClauseOID)/o:RangeCheck">
          <div class="quiet"><xsl:value-of select="key('item', @def:ItemOID)/@Name"/> = <xsl:value-of select="o:CheckValue"/></div>
        </xsl:for-each></td>
      <td><xsl:value-of select="$item/@DataType"/></td>
      <td><xsl:value-of select="$item/@Length"/></td>
      <td><xsl:for-each select="$item/o:CodeListRef"><a href="#{@CodeListOID}"><xsl:value-of select="key('list', @CodeListOID)/@Name"/></a></xsl:for-each></td>
      <td><xsl:for-each select="$item/def:Origin"><div><xsl:value-of select="@Type"/><xsl:if test="@Source"> (<xsl:value-of select="@Source"/>)</xsl:if>
          <xsl:text> </xsl:text><xsl:value-of select="o:Description/o:TranslatedText"/></div></xsl:for-each>
        <xsl:for-each select="key('method', @MethodOID)"><div><a href="#{@OID}">Method</a>: <xsl:value-of select="o:Description/o:TranslatedText"/></div></xsl:for-each>
        <xsl:for-each select="$item"><xsl:call-template name="comment"/></xsl:for-each></td>
    </tr>
  </xsl:template>

  <xsl:template name="comment">
    <xsl:for-each select="key('comment', @def:CommentOID)"><div class="quiet"><xsl:value-of select="o:Description/o:TranslatedText"/></div></xsl:for-each>
  </xsl:template>
</xsl:stylesheet>
